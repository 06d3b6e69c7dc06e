# frozen_string_literal: true

# Evaluates configuration files of Puma or Unicorn and prints, as JSON, what they say: `ruby record.rb FILE...`.
# Works in the present directory, with the app's gems if Bundler finds them.

require "json"
require_relative "../../loaders/ruby/server_config"

# Turns what was evaluated into data.
module Record
  module_function

  def use_gems_of_app
    return unless ENV["BUNDLE_GEMFILE"] || File.exist?("Gemfile") || File.exist?("gems.rb")

    require "bundler"
    Bundler.setup
  rescue StandardError, ScriptError => e # without them the file may still be read
    warn "Without the app's gems: #{e.message.lines.first}"
  end

  # Blocks of Puma's `cluster` and `single` count, each in its mode.
  def read(paths)
    config = JumpseatLoader::ServerConfig.new
    paths.each { |path| config.evaluate(path) }
    workers = config.values_of(:workers).last || ENV["WEB_CONCURRENCY"]
    config.run_blocks_of([nil, 0, "", "0"].include?(workers) ? :single : :cluster)
    recorded(config)
  rescue StandardError, ScriptError, SystemExit => e
    file, line = config.place_of(e)
    { "error" => "#{e.class}: #{text(e.message.lines.first.to_s.strip)}", "file" => file, "line" => line }
  end

  def recorded(config)
    {
      "ruby" => RUBY_VERSION, "executable" => RbConfig.ruby,
      "calls" => config.calls.map { |call| plain_call(call) },
      "missing" => config.missing.map { |call| plain_call(call) }
    }
  end

  def plain_call(call)
    {
      "word" => call.word.to_s, "arguments" => call.arguments.map { |argument| plain(argument) }, "file" => call.file,
      "line" => call.line, "parameters" => call.block ? call.block.parameters.size : nil
    }
  end

  # Returns what JSON can hold.
  def plain(value)
    case value
    when nil, true, false, Integer then value
    when Float then value.finite? ? value : value.to_s
    when String, Symbol then text(value)
    when Array then value.map { |one| plain(one) }
    when Hash then value.to_h { |key, one| [text(key), plain(one)] }
    else text(value.class)
    end
  end

  def text(value)
    value.to_s.dup.force_encoding(Encoding::UTF_8).scrub("?")
  end
end

answer = $stdout.dup
$stdout.reopen($stderr) # what the files print
Record.use_gems_of_app
answer.write(JSON.generate(Record.read(ARGV)))
