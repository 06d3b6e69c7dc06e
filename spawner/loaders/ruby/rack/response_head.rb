# frozen_string_literal: true

require_relative "../core/errors"

module JumpseatLoader
  # The head of a response, checked (Rack, RFC 9110, docs/protocol.md, section 3). What the app gives is untrusted.
  # Nothing that could end a line gets through, and no header that is between two servers.
  class ResponseHead
    LIMIT = 262_144 # bytes
    STATUS = /\A[2-9][0-9][0-9](?: [^\x00-\x08\x0a-\x1f\x7f]*)?\z/n.freeze
    NAME = /\A[!#$%&'*+.^_`|~0-9A-Za-z-]+\z/n.freeze
    CONTROL = /[\x00-\x08\x0a-\x1f\x7f]/n.freeze
    LENGTH = /\A[0-9]{1,18}\z/.freeze
    REFUSED = %w[upgrade trailer te].freeze
    MOST_CACHED = 1000
    BODILESS = [204, 304].freeze
    REASONS = {
      200 => "OK", 201 => "Created", 202 => "Accepted", 203 => "Non-Authoritative Information", 204 => "No Content",
      205 => "Reset Content", 206 => "Partial Content", 207 => "Multi-Status", 208 => "Already Reported",
      226 => "IM Used", 300 => "Multiple Choices", 301 => "Moved Permanently", 302 => "Found", 303 => "See Other",
      304 => "Not Modified", 305 => "Use Proxy", 307 => "Temporary Redirect", 308 => "Permanent Redirect",
      400 => "Bad Request", 401 => "Unauthorized", 402 => "Payment Required", 403 => "Forbidden", 404 => "Not Found",
      405 => "Method Not Allowed", 406 => "Not Acceptable", 407 => "Proxy Authentication Required",
      408 => "Request Timeout", 409 => "Conflict", 410 => "Gone", 411 => "Length Required",
      412 => "Precondition Failed", 413 => "Content Too Large", 414 => "URI Too Long",
      415 => "Unsupported Media Type", 416 => "Range Not Satisfiable", 417 => "Expectation Failed",
      418 => "I'm a Teapot", 421 => "Misdirected Request", 422 => "Unprocessable Content", 423 => "Locked",
      424 => "Failed Dependency", 425 => "Too Early", 426 => "Upgrade Required", 428 => "Precondition Required",
      429 => "Too Many Requests", 431 => "Request Header Fields Too Large", 451 => "Unavailable For Legal Reasons",
      500 => "Internal Server Error", 501 => "Not Implemented", 502 => "Bad Gateway", 503 => "Service Unavailable",
      504 => "Gateway Timeout", 505 => "HTTP Version Not Supported", 506 => "Variant Also Negotiates",
      507 => "Insufficient Storage", 508 => "Loop Detected", 510 => "Not Extended",
      511 => "Network Authentication Required"
    }.freeze

    STATUS_LINES = REASONS.to_h { |code, reason| [code, "Status: #{code} #{reason}\r\n".b.freeze] }.freeze

    KINDS = {
      "content-length" => :content_length, "transfer-encoding" => :transfer_encoding, "rack.hijack" => :hijack,
      # "Status" is how CGI names the status line.
      "connection" => :drop, "keep-alive" => :drop, "status" => :drop,
      "x-passenger-request-oob-work" => :out_of_band_work, "!~request-oob-work" => :out_of_band_work
    }.freeze
    @kinds = {} # of names that have been checked

    # `length`: the Content-Length that the app gave; `chunked`: the app chunks the body itself; `hijack`: what takes
    # over the connection behind the head.
    attr_reader :code, :length, :chunked, :hijack, :wants_out_of_band_work

    # Checks what the app gave. Raises InvalidResponse, which names what is wrong.
    def initialize(status, headers)
      @chunked = @wants_out_of_band_work = false
      @lines = STATUS_LINES[status].dup || "Status: #{self.class.status_line(status)}\r\n".b
      @code = @lines.byteslice(8, 3).to_i
      raise InvalidResponse, "the headers have no method 'each': #{headers.class}" unless headers.respond_to?(:each)

      headers.each { |name, value| add(name, value) }
      raise InvalidResponse, "there are both a Content-Length and a Transfer-Encoding header" if @chunked && @length
      raise InvalidResponse, "the response head has #{@lines.bytesize} bytes" if @lines.bytesize > LIMIT
    end

    # Whether this status has no body.
    def bodiless?
      BODILESS.include?(@code)
    end

    # Asks the peer to send the body in chunks, in a line that no app can write; no length is computed then.
    def ask_for_chunks
      @for_chunks = true
      insert("Send chunked: yes\r\n")
    end

    # Adds the id that the log has, in a line that no app can write: its name cannot be a header's.
    def add_error_id(error_id)
      insert("Error id: #{error_id}\r\n")
    end

    # Returns the bytes up to the empty line, with a Content-Length of `computed_length` bytes if it is given.
    def encode(computed_length = nil)
      return @lines + "\r\n" if computed_length.nil? || @for_chunks

      @lines + "Content-Length: #{computed_length}\r\n\r\n"
    end

    # Returns the status as it is sent, for one that is not in STATUS_LINES. A text may have a reason of its own.
    def self.status_line(status)
      line = status.is_a?(Integer) ? status.to_s : status.to_s.b
      line = "#{line} #{REASONS[line.to_i]}".rstrip if line.bytesize == 3
      raise InvalidResponse, "the status is not valid: #{status.inspect[0, 100]}" unless STATUS.match?(line)

      line
    end

    # Returns what a header is for. Raises InvalidResponse for a name that no app may use.
    def self.kind(name)
      @kinds[name] || new_kind(name)
    end

    def self.new_kind(name)
      bytes = name.b
      raise InvalidResponse, "the name of a header is not valid: #{name[0, 100].inspect}" unless NAME.match?(bytes)

      lower = bytes.downcase
      if REFUSED.include?(lower) || lower.start_with?("proxy-")
        raise InvalidResponse, "an app cannot set the header #{name[0, 100]}: it is between servers"
      end

      kind = KINDS[lower] || (lower.start_with?("rack.") ? :drop : :ordinary)
      @kinds[name.dup.freeze] = kind if @kinds.size < MOST_CACHED && name.size < 100
      kind
    end

    private

    # Inserts a line behind the status.
    def insert(line)
      @lines.sub!("\r\n") { "\r\n#{line}" }
    end

    # Takes one header of the app. A value may be an array, or a text with a line for each value.
    def add(name, value)
      name = name.to_s unless name.is_a?(String)
      kind = self.class.kind(name)
      if value.is_a?(String)
        value.include?("\n") ? add_lines(kind, name, value) : add_value(kind, name, value)
      else
        add_other(kind, name, value)
      end
    end

    def add_other(kind, name, value)
      case value
      when Array then value.each { |each| add_value(kind, name, each.to_s) }
      when nil then nil
      when Integer, Float, Symbol then add_value(kind, name, value.to_s)
      else
        return @hijack = value if kind == :hijack

        raise InvalidResponse, "the value of the header #{name[0, 100]} is of class #{value.class}"
      end
    end

    # Rack 3 has arrays instead: there, a line end within a value is an attempt to add a header.
    def add_lines(kind, name, value)
      bad_value(name, value) if AppLoader.rack3?
      value.split("\n").each { |line| add_value(kind, name, line) }
    end

    def add_value(kind, name, value)
      value = value.b unless value.ascii_only?
      bad_value(name, value) if CONTROL.match?(value)
      case kind
      when :ordinary then @lines << name << ": " << value << "\r\n"
      when :content_length then add_length(name, value)
      when :transfer_encoding then check_encoding(value)
      when :out_of_band_work then @wants_out_of_band_work ||= value.casecmp?("true")
      end
    end

    def add_length(name, value)
      raise InvalidResponse, "there are two Content-Length headers" if @length
      raise InvalidResponse, "the Content-Length is not a number: #{value[0, 100].inspect}" unless LENGTH.match?(value)

      @length = value.to_i
      @lines << name << ": " << value << "\r\n" unless @code == 204 # RFC 9110, 8.6: it has none
    end

    # The app chunks its body itself. Every other transfer encoding is refused.
    def check_encoding(value)
      raise InvalidResponse, "there are two Transfer-Encoding headers" if @chunked
      unless value.strip.casecmp?("chunked")
        raise InvalidResponse, "an app cannot set this Transfer-Encoding: #{value[0, 100].inspect}"
      end

      @chunked = true
    end

    def bad_value(name, value)
      raise InvalidResponse, "the value of the header #{name[0, 100]} is not valid: #{value[0, 100].inspect}"
    end
  end
end
