# The app of tests/apps/kinds in Ruby.
require "digest"

def read(name, default = "")
  File.exist?(name) ? File.read(name).strip : default
end

raise "the app fails on purpose" if read("loading.txt") == "raise"

RELEASE = read("release.txt", "first")
KEPT = []

# Waits until the test lets the app go on.
module Gate
  def self.wait_for(name)
    sleep 0.005 until File.exist?("events/gate-#{name}")
  end
end

# A body in pieces.
class Pieces
  def initialize(path)
    @path = path
  end

  def each
    yield "begun\n"
    Process.kill(:KILL, Process.pid) unless @path == "/stream"
    Gate.wait_for("stream")
    yield "ended\n"
  end
end

def text_for(path, env)
  case path
  when "/pid" then Process.pid.to_s
  when "/user" then Process.uid.to_s
  when "/release" then RELEASE
  when "/variable" then ENV.fetch(env["QUERY_STRING"], "")
  when %r{\A/request} then "#{env["REQUEST_METHOD"]} #{env["SCRIPT_NAME"]}#{path}?#{env["QUERY_STRING"]}"
  when "/echo" then env["rack.input"].read
  when "/digest" then Digest::SHA256.hexdigest(env["rack.input"].read)
  when "/fail" then raise "the app fails on purpose"
  when "/key" then env[env["QUERY_STRING"]].to_s
  when "/say"
    puts env["QUERY_STRING"]
    "kind rack"
  when "/hold", "/grow"
    KEPT << "x" * (env["QUERY_STRING"].to_i << 20) if path == "/grow"
    name = path == "/grow" ? "" : env["QUERY_STRING"]
    File.write("events/holding#{name}", "")
    Gate.wait_for("hold#{name}")
    "kind rack"
  else "kind rack"
  end
end

run(lambda do |env|
  path = env["PATH_INFO"]
  return [200, path == "/short" ? { "Content-Length" => "100" } : {}, Pieces.new(path)] if %w[/stream /cut /short].include?(path)
  return [204, {}, []] if path == "/empty"

  body = text_for(path, env)
  headers = { "Content-Type" => "text/plain", "Content-Length" => body.bytesize.to_s }
  headers["Set-Cookie"] = "a=1\nb=2" if path == "/cookies"
  [200, headers, [body]]
end)
