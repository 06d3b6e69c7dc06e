# frozen_string_literal: true

module JumpseatLoader
  # Whose a source file is: the app's own, its libraries', or ours.
  class AppFiles
    OURS = "#{File.dirname(File.dirname(File.dirname(File.expand_path(__FILE__))))}/"
    OF_LIBRARIES = %r{/(?:gems|vendor/bundle|site_ruby|vendor_ruby)/}.freeze

    # Whether a frame is of the loader: of no interest to an app.
    def self.ours?(path)
      path.start_with?(OURS)
    end

    def initialize(app_root)
      @root = File.join(File.realpath(app_root), "")
    end

    # Returns the absolute path of a file as a backtrace names it: config.ru is evaluated under its relative name.
    def absolute(path)
      return path if path.start_with?("/", "<", "(")

      File.join(@root, path)
    end

    # Whether an absolute path is one of the app's own files.
    def hold?(path)
      path.start_with?(@root) && !OF_LIBRARIES.match?(path[@root.size - 1..-1])
    end
  end

  # What this process writes into the app's log, which is its standard error: lines of ours, and errors of the app. A
  # backtrace of the app has its own frames only, never the loader's.
  module AppLog
    LONGEST_BACKTRACE = 30 * 1024 # bytes: a backtrace travels in one control message
    MOST_CAUSES = 8

    module_function

    # Writes the text as whole lines. An app that has broken its stderr loses its lines, not more.
    def log(text)
      $stderr.write(text.end_with?("\n") ? text : "#{text}\n")
      $stderr.flush
    rescue StandardError
      nil
    end

    # Logs that `what` failed, with the app's backtrace.
    def log_app_error(what, error)
      log("jumpseat: #{what}\n#{backtrace(error)}")
    end

    # Logs an error that no app and no peer should be able to cause, with all frames.
    def log_internal_error(what, error)
      log("jumpseat: #{what}\n#{title(error)}\n#{(error.backtrace || []).map { |frame| "\tfrom #{frame}\n" }.join}")
    end

    # Returns class and message of an error. An app's own class may do anything when it is asked.
    def title(error)
      message = text(error.respond_to?(:detailed_message) ? error.message : error.message)
      message.empty? ? error.class.to_s : "#{error.class}: #{message}"
    rescue StandardError
      error.class.to_s
    end

    # Returns one line that names an error.
    def summary(error)
      title(error).split.join(" ")[0, 4096]
    end

    # Returns the backtrace of an error and of what caused it, without the loader's frames.
    def backtrace(error, files = nil)
      told = +""
      causes(error).each_with_index do |each, index|
        told << "caused by " if index.positive?
        told << title(each) << "\n"
        frames(each, files).each { |frame| told << "\tfrom " << frame << "\n" }
      end
      shortened(told)
    end

    # Returns an error and what led to it, the last one first.
    def causes(error)
      found = []
      while error && found.size < MOST_CAUSES && found.none? { |each| each.equal?(error) }
        found << error
        error = error.cause
      end
      found
    end

    # Returns the frames of an error without ours, as Ruby writes them.
    def frames(error, files)
      (error.backtrace || []).reject { |frame| AppFiles.ours?(frame) }.map do |frame|
        files ? files.absolute(text(frame)) : text(frame)
      end
    end

    # Returns what may be bytes of any kind as UTF-8.
    def text(value)
      value = value.to_s
      utf8 = value.encoding == Encoding::UTF_8 ? value : recoded(value)
      utf8.valid_encoding? ? utf8 : utf8.scrub("?")
    end

    def recoded(value)
      binary = [Encoding::BINARY, Encoding::US_ASCII].include?(value.encoding)
      binary ? value.dup.force_encoding(Encoding::UTF_8) : value.encode(Encoding::UTF_8)
    rescue EncodingError
      value.dup.force_encoding(Encoding::UTF_8)
    end

    def shortened(text)
      return text if text.bytesize <= LONGEST_BACKTRACE

      half = LONGEST_BACKTRACE / 2
      left_out = "\n\t[... #{text.bytesize - 2 * half} bytes left out ...]\n"
      text.byteslice(0, half).scrub("?") + left_out + text.byteslice(-half, half).scrub("?")
    end
  end
end
