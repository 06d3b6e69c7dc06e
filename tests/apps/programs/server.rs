//! A server with a thread for each connection. It accepts on descriptor 3, or on the port that is its argument.
use std::io::{BufRead, BufReader, Error, ErrorKind, Read, Write};
use std::net::TcpListener;
use std::os::unix::io::FromRawFd;
use std::os::unix::net::UnixListener;
use std::thread;

fn serve<S: Read + Write>(mut connection: S) -> Result<(), Error> {
    let mut reader = BufReader::new(&mut connection);
    let (mut first, mut length) = (String::new(), 0);
    reader.read_line(&mut first)?;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? <= 2 {
            break;
        }
        let (name, value) = line.split_once(':').unwrap_or(("", ""));
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().unwrap_or(0);
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let mut words = first.split(' ');
    let (method, path) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
    if path.is_empty() {
        return Ok(()); // somebody wants to know whether we accept
    }
    let text = format!("{} {} {} {}", std::process::id(), method, path, body.len());
    write!(connection, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{}", text.len(), text)
}

fn main() -> Result<(), Error> {
    if let Some(port) = std::env::args().nth(1) {
        for connection in TcpListener::bind(("127.0.0.1", port.parse().expect("a port")))?.incoming() {
            let connection = connection?;
            thread::spawn(move || serve(connection));
        }
    }
    let listener = unsafe { UnixListener::from_raw_fd(3) };
    loop {
        match listener.accept() {
            Ok((connection, _)) => {
                thread::spawn(move || serve(connection));
            }
            // Each start of another process of this app makes the socket non-blocking, which is for event loops.
            Err(error) if error.kind() == ErrorKind::WouldBlock => listener.set_nonblocking(false)?,
            Err(error) => return Err(error),
        }
    }
}
