# frozen_string_literal: true

require_relative "app_log"
require_relative "masking"

module JumpseatLoader
  # An exception as data: what was raised, where, with the lines of source around each place. The source is read here, by
  # the app's own process, when it happens. It travels to the spawner as JSON (`exceptions` of `failed`).
  module ExceptionSerializer
    CONTEXT = 5 # lines before and behind the one in question, of the app's own files
    MOST_FRAMES = 50 # of one exception; of more, those in the middle are left out
    LONGEST_LINE = 300 # characters
    LONGEST_TITLE = 4000 # characters
    LONGEST_JSON = 48 * 1024 # bytes
    FRAME = /\A(?<file>.+?):(?<line>\d+)(?::in [`'](?<function>.*)')?\z/.freeze
    SYNTAX = /^(?<file>[^\s:]+):(?<line>\d+): /.freeze

    module_function

    # Returns what led to an error, the first cause first, and it.
    def serialize(error, files)
      sources = Hash.new { |read, path| read[path] = read_lines(path) }
      all = AppLog.causes(error).each_with_index.map do |each, index|
        serialize_one(each, index.zero? ? "" : "cause", files, sources)
      end
      all.reverse
    end

    # Returns the exceptions as JSON, with as many lines of source as fit into LONGEST_JSON.
    def to_json(raised)
      [raised, without_source(raised)].each do |each|
        text = Json.generate(each)
        return text if text.bytesize <= LONGEST_JSON
      end
      "[]"
    end

    def serialize_one(error, link, files, sources)
      frames = places(error, files).map { |file, line, function| frame(file, line, function, files, sources) }
      left_out = [0, frames.size - MOST_FRAMES].max
      frames.slice!(MOST_FRAMES / 2, left_out)
      title = Masking.text(AppLog.title(error))[0, LONGEST_TITLE]
      { "title" => title, "link" => link, "left_out" => left_out, "frames" => frames }
    end

    # Yields file, line and function of each place, the outermost first.
    def places(error, files)
      lines = AppLog.frames(error, files).reverse
      found = lines.map { |line| FRAME.match(line) }.compact.map { |match| [match[:file], match[:line].to_i, match[:function].to_s] }
      found << syntax_place(error, files) if error.is_a?(SyntaxError)
      found.compact
    end

    def syntax_place(error, files)
      match = SYNTAX.match(AppLog.text(error.message))
      match && [files.absolute(match[:file]), match[:line].to_i, ""]
    end

    def frame(file, line, function, files, sources)
      of_app = files.hold?(file)
      reach = of_app ? CONTEXT : 0
      first = [1, line - reach].max
      source = (sources[file][first - 1..line + reach - 1] || []).map { |text| shown(text) }
      { "file" => file, "line" => line, "function" => function, "of_app" => of_app, "first" => first, "source" => source }
    end

    def shown(line)
      Masking.source_line(AppLog.text(line).chomp[0, LONGEST_LINE])
    end

    def read_lines(path)
      File.file?(path) ? File.readlines(path) : []
    rescue SystemCallError
      []
    end

    def without_source(raised)
      raised.map do |each|
        each.merge("frames" => each["frames"].map { |frame| frame.merge("first" => frame["line"], "source" => []) })
      end
    end
  end

  # JSON of strings, numbers, arrays, hashes, true, false and nil: without the gem, of which an app may have another
  # version, and whatever the app has made of `to_json`.
  module Json
    ESCAPES = { '"' => '\"', "\\" => "\\\\", "\n" => '\n', "\r" => '\r', "\t" => '\t' }.freeze

    module_function

    def generate(value)
      case value
      when Hash then "{#{value.map { |name, each| "#{string(name)}: #{generate(each)}" }.join(", ")}}"
      when Array then "[#{value.map { |each| generate(each) }.join(", ")}]"
      when String then string(value)
      when nil then "null"
      else value.to_s
      end
    end

    def string(text)
      escaped = AppLog.text(text).gsub(/["\\\u0000-\u001f\u007f-\u{10ffff}]/) do |character|
        ESCAPES[character] || character.encode(Encoding::UTF_16BE).unpack("n*").map { |unit| format('\u%04x', unit) }.join
      end
      "\"#{escaped}\""
    end
  end
end
