# frozen_string_literal: true

module JumpseatLoader
  # Secrets are not shown: not by the names of variables, not in URLs, not in lines of source. The same rules as
  # shared/masking.py has.
  module Masking
    HIDDEN = "[hidden]"
    SHOWN_NAMES = %w[PWD OLDPWD].freeze # which the pattern for passwords would take for one
    SECRET = "(?:key(?!board)|secret|pass(?!enger)|pwd|token|credential|auth(?!or)|private|salt|signature|session" \
             "|cookie|dsn|jwt)"
    SECRET_NAME = /#{SECRET}/i.freeze
    URL_PASSWORD = %r{((?<![A-Za-z0-9+.-])[A-Za-z0-9+.-]+://[^/?#\s:@'"]*:)(?:(?!://)[^@\s'"])*(@)}.freeze
    ASSIGNED = /((?:password|passwd|pwd|secret|token|api_?key|access_?key)=)[^&;\s'"]+/i.freeze
    LITERAL = /(#{SECRET}\w{0,64}['"]?\]?\s{0,64}(?:[:=,]|=>)\s{0,64})(['"])(?:(?!\2).)+\2/i.freeze
    PEM = "-----BEGIN"

    module_function

    # Returns the value of an environment variable as it may be shown.
    def variable(name, value)
      return value if value.empty? || SHOWN_NAMES.include?(name)
      return HIDDEN if SECRET_NAME.match?(name) || value.include?(PEM)

      text(value)
    end

    # Returns the text without the passwords in URLs and in `password=...`.
    def text(value)
      value.gsub(URL_PASSWORD, "\\1#{HIDDEN}\\2").gsub(ASSIGNED, "\\1#{HIDDEN}")
    end

    # Returns a line of source without the literals that are assigned to names of secrets.
    def source_line(line)
      text(line.gsub(LITERAL, "\\1\\2#{HIDDEN}\\2"))
    end

    # Returns several lines, of a backtrace or of output, without what `source_line` hides.
    def lines(value)
      value.split("\n", -1).map { |line| source_line(line) }.join("\n")
    end

    # Returns names and values that may be shown, in the order of the names.
    def variables(pairs)
      texts = pairs.select { |name, value| name.is_a?(String) && value.is_a?(String) }
      texts.map { |name, value| [AppLog.text(name), variable(name, AppLog.text(value))] }.sort
    end
  end
end
