# frozen_string_literal: true

# The probe of the conformance suite for Ruby (README.md says what it does). Runs on every Ruby since 2.7.

# What is defined in a config.ru is of no use within its classes, unless it is in a module.
module Probe
  IMPORTED_BY = Process.pid
  MODE = ENV.fetch("PROBE", "")

  module_function

  def fail_on_purpose
    raise "the probe fails on purpose"
  end

  def wait_for(name)
    sleep(0.01) until File.exist?(name)
  end

  def hang
    puts "hanging"
    wait_for("gate")
  end

  def execute_again
    exec(RbConfig.ruby, $PROGRAM_NAME, *ARGV) if ENV.delete("PROBE")
  end
end

puts "importing"
case Probe::MODE
when "fail" then Probe.fail_on_purpose
when "exit" then exit
when "end" then exit!(7)
when "hang" then Probe.hang
when "execute" then Probe.execute_again
end

PhusionPassenger.on_event(:starting_worker_process) do
  Probe.fail_on_purpose if Probe::MODE == "fail after fork"
  puts "after_fork in #{Process.pid}"
end

PhusionPassenger.on_event(:stopping_worker_process) { puts "before_exit in #{Process.pid}" }

PhusionPassenger.on_event(:oob_work) do
  puts "out-of-band work"
  Probe.wait_for("work") if File.exist?("slow-work")
end

# A body whose pieces come one by one.
class Pieces
  def initialize(texts)
    @texts = texts
  end

  def each
    @texts.each do |text|
      case text
      when "wait" then Probe.wait_for("gate")
      when "fail" then Probe.fail_on_purpose
      else yield text
      end
    end
  end
end

# A body that is a file.
class Payload
  def to_path
    "payload"
  end

  def each
    yield File.binread(to_path)
  end
end

# A body that reads that of the request when it is asked for its second piece.
class LateReader
  def initialize(input)
    @input = input
  end

  def each
    yield "begun\n"
    yield @input.read
  end
end

def ok(body = "ok", status = 200, more = {})
  [status, { "content-type" => "text/plain", "x-pid" => Process.pid.to_s }.merge(more), [body]]
end

def variables(env)
  shown = env.select { |name, value| value.is_a?(String) && name == name.upcase }
  shown.sort.map { |name, value| "#{name}=#{value}\n" }.join
end

def wait(number)
  puts "waiting#{number}"
  Probe.wait_for("gate#{number}")
  ok
end

def say(text)
  puts text
  ok
end

# The value is one of an array: a text alone may have several lines in Rack 2.
def header(name, value)
  ok("ok", 200, name => [value.to_s])
end

def length(declared, size)
  ok("x" * size.to_i, 200, "content-length" => declared)
end

def answer(name, query, env)
  case name
  when "" then ok
  when "imported-by" then ok(Probe::IMPORTED_BY.to_s)
  when "variables" then ok(variables(env))
  when "echo" then ok(env["rack.input"].read)
  when "read-late" then [200, {}, LateReader.new(env["rack.input"])]
  when /\Await/ then wait(name[4..-1])
  when "say" then say(query)
  when "stream" then [200, {}, Pieces.new(query.split(","))]
  when "status" then ok("body", query)
  when "header" then header(*query.split("=", 2))
  when "length" then length(*query.split(","))
  when "file" then [200, {}, Payload.new]
  when "error" then Probe.fail_on_purpose
  when "kill" then Process.kill("KILL", Process.pid)
  when "end" then exit!(query.to_i)
  when "request-out-of-band-work" then ok("ok", 200, "!~Request-OOB-Work" => "true")
  end
end

def unquoted(text)
  text.gsub(/%(\h\h)/) { $1.hex.chr }
end

run(lambda { |env| answer(env["PATH_INFO"].delete_prefix("/"), unquoted(env["QUERY_STRING"]), env) })
