# frozen_string_literal: true

require_relative "app_log"
require_relative "exception_serializer"
require_relative "masking"

module JumpseatLoader
  # What a process that cannot serve its app tells the spawner: the fields of `failed` (docs/protocol.md, section 5).
  module FailedMessage
    LONGEST_VALUE = 500 # characters of an environment variable
    LONGEST_ENVIRONMENT = 16 * 1024 # characters
    LONGEST_PATH = 16 * 1024 # characters of $LOAD_PATH
    LONGEST_END = 16 * 1024 # characters of a backtrace

    module_function

    # Sends it. `friendly`: with what only a friendly error page shows. Raises LineClosed.
    def send_to(line, failure, friendly, files)
      line.send_message("failed", fields(failure, friendly, files))
    rescue ArgumentError, SystemCallError
      line.send_message("failed", brief(failure, files))
    end

    def fields(failure, friendly, files)
      told = brief(failure, files)
      told += within(LONGEST_PATH, $LOAD_PATH.map { |entry| ["search_path", AppLog.text(entry)] })
      told << ["cwd", working_directory]
      told += for_friendly_pages(failure.cause, files) if friendly
      told.map { |name, value| [name, value.tr("\0", "?")] }
    end

    # Returns what is told where there is no room for more: the end of a backtrace says most.
    def brief(failure, files)
      backtrace = failure.cause ? AppLog.backtrace(failure.cause, files) : ""
      [["step", failure.step], ["summary", AppLog.text(failure.message)], ["traceback", backtrace[-LONGEST_END..-1] || backtrace]]
    end

    def for_friendly_pages(error, files)
      told = error ? [["exceptions", exceptions(error, files)]] : []
      variables = Masking.variables(ENV).map { |name, value| ["env:#{name}", value[0, LONGEST_VALUE]] }
      told + within(LONGEST_ENVIRONMENT, variables)
    end

    # An exception class of the app's own may do anything; the backtrace stands.
    def exceptions(error, files)
      ExceptionSerializer.to_json(ExceptionSerializer.serialize(error, files))
    rescue StandardError
      "[]"
    end

    # Returns the first ones that have no more characters than the limit.
    def within(limit, fields)
      fields.take_while { |name, value| (limit -= name.size + value.size) >= 0 }
    end

    def working_directory
      Dir.pwd
    rescue SystemCallError => e
      "(#{e.message})"
    end
  end
end
