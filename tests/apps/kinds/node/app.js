// The app of tests/apps/kinds in JavaScript.
const crypto = require("crypto");
const fs = require("fs");
const http = require("http");

const read = (name, otherwise = "") => (fs.existsSync(name) ? fs.readFileSync(name, "utf8").trim() : otherwise);

if (read("loading.txt") === "raise") {
  throw new Error("the app fails on purpose");
}
const RELEASE = read("release.txt", "first");
const KEPT = [];
const MOUNT = process.env.PASSENGER_BASE_URI || "";

function whenOpen(gate, then) {
  if (fs.existsSync(`events/gate-${gate}`)) {
    then();
  } else {
    setTimeout(whenOpen, 5, gate, then);
  }
}

function sendPieces(path, response) {
  response.writeHead(200, path === "/short" ? { "Content-Length": "100" } : {});
  response.write("begun\n", () => {
    if (path === "/stream") {
      whenOpen("stream", () => response.end("ended\n"));
    } else {
      // What was written has to be on its way.
      setTimeout(() => process.kill(process.pid, "SIGKILL"), 50);
    }
  });
}

function textFor(path, query, request, body) {
  if (path.startsWith("/request")) {
    return `${request.method} ${MOUNT}${path}?${query}`;
  }
  switch (path) {
    case "/pid": return String(process.pid);
    case "/user": return String(process.getuid());
    case "/release": return RELEASE;
    case "/variable": return process.env[query] || "";
    case "/digest": return crypto.createHash("sha256").update(body).digest("hex");
    case "/say": console.log(query); return "kind node";
    case "/fail": throw new Error("the app fails on purpose");
    default: return "kind node";
  }
}

function answer(request, response, body) {
  const [target, query = ""] = request.url.split("?");
  const path = target.slice(MOUNT.length);
  if (["/stream", "/cut", "/short"].includes(path)) {
    sendPieces(path, response);
  } else if (path === "/empty") {
    response.writeHead(204).end();
  } else if (path === "/hold" || path === "/grow") {
    if (path === "/grow") {
      KEPT.push(Buffer.alloc(Number(query) << 20, "x"));
    }
    const name = path === "/grow" ? "" : query;
    fs.writeFileSync(`events/holding${name}`, "");
    whenOpen(`hold${name}`, () => response.end("kind node"));
  } else {
    const text = path === "/echo" ? body : Buffer.from(textFor(path, query, request, body));
    const headers = { "Content-Type": "text/plain", "Content-Length": text.length };
    if (path === "/cookies") {
      headers["Set-Cookie"] = ["a=1", "b=2"];
    }
    response.writeHead(200, headers).end(text);
  }
}

http.createServer((request, response) => {
  const parts = [];
  request.on("data", (part) => parts.push(part));
  request.on("end", () => {
    try {
      answer(request, response, Buffer.concat(parts));
    } catch (error) {
      console.error(error);
      response.writeHead(500).end();
    }
  });
}).listen(3000);
