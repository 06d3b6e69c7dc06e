# frozen_string_literal: true
#\ -w -p 9292

# What only Rack has: each path of this app uses one part of it. RACK is the release whose rules count.

require "rack/lint"
require "uri" # Rack::Lint uses it, and does not load it

RACK = ENV["RACK"]
RELEASE = Rack.release
def Rack.release
  RACK
end

module Log
  LINES = []
end

PhusionPassenger.advertised_concurrency_level = Integer(ENV["LEVEL"]) if ENV.key?("LEVEL")
at_exit { puts "at exit" }
PhusionPassenger.on_event(:starting_worker_process) { |forked| puts "started, forked: #{forked}" }
PhusionPassenger.on_event(:credentials) { |*given| puts "credentials: #{given}" }
PhusionPassenger.on_event(:starting_request_handler_thread) { puts "thread #{Thread.current.name}" }
PhusionPassenger.on_event(:after_installing_signal_handlers) { puts "signal handlers" }

# Both kinds of a body in one.
class Both
  def each
    yield "each"
  end

  def call(stream)
    stream << "call"
    stream.close
  end
end

# A file, sent in the way that Rack::Sendfile and httpd know, and closed.
class Download
  def to_path
    "payload"
  end

  def each
    yield "read"
  end

  def close
    puts "closed"
  end
end

class Chunks
  def each
    yield "5\r\nfirst\r\n"
    yield "6\r\nsecond\r\n0\r\n\r\n"
  end
end

def text(*lines)
  [200, { "content-type" => "text/plain" }, [lines.join("\n")]]
end

# Before 2.2, Rack put a line of its own before it.
def first_line
  "".frozen? || RELEASE < "2.2" ? "as its first line says" : "not as its first line says"
end

def show(env)
  text(*env.sort.map { |name, value| "#{name}=#{value.inspect}" })
end

def read_twice(input)
  first = input.gets
  input.rewind
  lines = input.enum_for(:each).to_a
  input.rewind
  start = input.read(4)
  rest = input.read(1000, +"")
  input.rewind
  all = input.read
  text(first.inspect, lines.size, start.inspect, rest.to_s.size, all.size, input.read(1).inspect, input.read.inspect)
end

def read_in_parts(input)
  start = input.read(4)
  text(start.inspect, input.read.size, input.read(1).inspect)
end

def read_once(input)
  text(input.respond_to?(:rewind), input.gets.inspect, input.read(3), input.enum_for(:each).to_a.size, input.read(1).inspect)
end

def streamed(stream)
  stream.write("one", "two")
  stream << "three"
  stream.flush
  stream.puts("four")
  stream.close
  stream.close
  puts "closed: #{stream.closed?}"
end

def streamed_for(env)
  lambda do |stream|
    puts "called for #{env["REQUEST_METHOD"]}"
    streamed(stream)
  end
end

def later(stream)
  Thread.new do
    stream.write("later")
    stream.close
  end
end

def hijack(env)
  io = env["rack.hijack"].call
  io.write("HTTP/1.1 101 Switching Protocols\r\n\r\n")
  Thread.new do
    Log::LINES << io.readpartial(10)
    io.write(Log::LINES.last)
    io.close
  end
  [-1, {}, []]
end

# A stream that ends when there is a file of this name.
def held(name)
  lambda do |stream|
    stream << name
    Thread.new do
      sleep(0.01) until File.exist?(name)
      stream.close
    end
  end
end

# Forgets the connection without closing it.
def drop(env)
  env["rack.hijack"].call.write("HTTP/1.1 200 OK\r\n\r\n")
  [-1, {}, []]
end

def unknown_event
  %i[on_event call_event].map do |name|
    PhusionPassenger.public_send(name, :no_such_event) { nil }
  rescue ArgumentError => e
    e.message
  end
end

# What cannot be sent as a header is left out.
def hint(env)
  call = env["rack.early_hints"]
  call.call("link" => "</a.css>; rel=preload\n</b.css>; rel=preload", "x-list" => %w[a b])
  call.call("connection" => "x", "transfer-encoding" => "chunked", "x y" => "z", "x-bad" => "a\rb")
  call.call("x-large" => "x" * 8192)
  20.times { |number| call.call("x-number" => number) }
  text("hinted")
end

def finished(env)
  %w[first second].each do |name|
    env["rack.response_finished"] << lambda do |seen, status, headers, error|
      puts "#{name} #{seen.equal?(env)} #{status.inspect} #{headers && headers["x-a"]} #{error.class}"
      raise "a callback fails"
    end
  end
  raise ArgumentError, "no answer" if env["QUERY_STRING"] == "fail"

  [201, { "x-a" => "b" }, ["ok"]]
end

def caused
  raise "inner"
rescue StandardError
  raise ArgumentError, "outer"
end

def copies
  child = fork
  return text("from the copy") if child.nil?

  text(*[child, fork { exit!(3) }].map { |pid| Process.wait2(pid).last.exitstatus })
end

headers = {
  "/lines" => { "x-list" => "a\nb" },
  "/array" => { "x-list" => %w[a b], :symbol => :value, "x-number" => 5, "x-none" => nil, "rack.early" => "x" },
  "/utf8" => { "x-name" => "gr\u00fcn" }
}

lint = Rack::Lint.new(lambda do |env|
  env["rack.input"].read
  [200, { "content-type" => "text/plain" }, ["linted"]]
end)

run(lambda do |env|
  case path = env["PATH_INFO"]
  when "/array", "/lines", "/utf8" then [200, headers[path], ["gr\u00fcn"]]
  when "/names" then text(__FILE__, Dir.pwd, first_line, Object.constants.grep(/Jumpseat/i).size, $PROGRAM_NAME, SETUP)
  when "/twice" then read_twice(env["rack.input"])
  when "/parts" then read_in_parts(env["rack.input"])
  when "/once" then read_once(env["rack.input"])
  when "/both" then [200, {}, Both.new]
  when "/call" then [200, {}, streamed_for(env)]
  when "/fail" then [200, {}, ->(stream) { stream << "begun"; raise "amid" }]
  when "/later" then [200, {}, method(:later)]
  when "/partial" then [200, { "rack.hijack" => method(:streamed) }, []]
  when "/full" then hijack(env)
  when "/finished" then finished(env)
  when "/hints" then hint(env)
  when "/held" then [200, {}, held(env["QUERY_STRING"])]
  when "/log" then text(*Log::LINES)
  when "/drop" then drop(env)
  when "/unknown-event" then text(*unknown_event)
  when "/file" then [200, {}, Download.new]
  when "/chunks" then [200, { "transfer-encoding" => "chunked" }, Chunks.new]
  when "/lint" then lint.call(env)
  when "/caused" then caused
  when "/exit" then exit
  when "/copies" then copies
  when "/random" then text(rand(1 << 60))
  when "/nil" then nil
  else show(env)
  end
end)

__END__
this is no Ruby
