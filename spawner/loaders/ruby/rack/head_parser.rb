# frozen_string_literal: true

require_relative "../core/errors"
require_relative "../core/wire"

module JumpseatLoader
  # Takes the payload of a request head apart (docs/protocol.md, section 2): into Rack's environment, as far as the head
  # gives it, and the extensions, which are between us and the peer. One thread's.
  #
  # The fields of a head's tail are the same in many requests: it is taken apart when it is first seen, and known by its
  # bytes from then on.
  class HeadParser
    EXTENSION = "JUMPSEAT_"
    TAIL = "\0JUMPSEAT_TAIL\0".b.freeze
    TAIL_DIGITS = 6
    TAIL_FIELD_SIZE = TAIL.bytesize + TAIL_DIGITS + 1 # from the NUL before it to the last one
    MOST_TAILS = 64
    MOST_NAMES = 1000
    LONGEST_NAME = 100 # bytes
    NAMES = {
      "SCGI" => :scgi, "CONTENT_LENGTH" => :length, "JUMPSEAT_TOKEN" => :token, "JUMPSEAT_FRAMED" => :framed,
      "JUMPSEAT_BODY" => :body, "JUMPSEAT_ACKNOWLEDGE" => :acknowledge, "JUMPSEAT_START_BEFORE" => :start_before,
      "JUMPSEAT_TIME_LIMIT" => :time_limit, "JUMPSEAT_EXPECT" => :expect, "JUMPSEAT_KEEP" => :keep
    }.freeze

    # What a tail gives: the environment without the rest of the head, and extensions. Both are frozen, and so are the
    # variables: requests share them.
    Tail = Struct.new(:env, :extensions)

    # `environment`: makes Rack's environment of CGI variables.
    def initialize(environment)
      @environment = environment
      @names = Hash.new { |names, name| new_name(names, name) }.update(NAMES)
      @without_tail = Tail.new(environment.of({}), {}.freeze)
      @tails = {}
    end

    # Returns the environment, the extensions by the symbols of NAMES (possibly frozen), and CONTENT_LENGTH as it came.
    # Raises BadRequest.
    def parse(payload)
      tail_size = size_of_tail(payload)
      tail = tail_size.zero? ? @without_tail : tail_of(payload.byteslice(-tail_size, tail_size))
      fields = split(tail_size.zero? ? payload : payload.byteslice(0, payload.bytesize - tail_size))
      check_scgi(fields) unless fields[2] == "SCGI" && fields[3] == "1" && fields[0] == "CONTENT_LENGTH"
      env = tail.env.dup
      extensions = take_fields(fields, 2, env, tail.extensions)
      @environment.derive(env) if tail_size.zero?
      [env, extensions, fields[1]]
    end

    private

    # Most peers send SCGI second; it may stand anywhere.
    def check_scgi(fields)
      return if fields[0] == "CONTENT_LENGTH" && fields.each_slice(2).include?(%w[SCGI 1])

      raise BadRequest, "the request head is not an SCGI head"
    end

    # Returns how many bytes of the payload are its tail, 0 without one. A head says it with its last field.
    def size_of_tail(payload)
      return 0 unless payload.byteslice(-TAIL_FIELD_SIZE, TAIL.bytesize) == TAIL

      size = payload.byteslice(-TAIL_DIGITS - 1, TAIL_DIGITS).to_i
      size <= payload.bytesize ? size : 0
    end

    def tail_of(bytes)
      @tails[bytes] || new_tail(bytes)
    end

    def new_tail(bytes)
      variables = {}
      extensions = take_fields(split(bytes), 0, variables, {}.freeze)
      @tails.clear if @tails.size >= MOST_TAILS
      @tails[bytes.dup.freeze] = Tail.new(@environment.of(variables.each_value(&:freeze)), extensions.freeze)
    end

    def split(bytes)
      Wire.split_payload(bytes)
    rescue MalformedMessage => e
      raise BadRequest, e.message
    end

    # Puts the variables from the field `index` on into `env`. Returns the extensions with those that are new.
    def take_fields(fields, index, env, extensions)
      size = fields.size
      while index < size
        name = @names[fields[index]]
        if name.is_a?(Symbol)
          extensions = with_extension(extensions, name, fields, index)
        else
          env[name] = fields[index + 1]
        end
        index += 2
      end
      extensions
    end

    # Two lengths or two tokens: nobody can say which one counts. Of CGI variables the last one counts.
    def with_extension(extensions, name, fields, index)
      return extensions if name == :scgi
      raise BadRequest, "the request head repeats #{fields[index]}" if name == :length || extensions.key?(name)

      extensions.merge(name => fields[index + 1])
    end

    # Returns what a name stands for: a symbol for what is between us and the peer, so that the app sees nothing of it.
    # The names that come often are kept.
    def new_name(names, name)
      known = name.start_with?(EXTENSION) ? :unknown : name.dup.freeze
      names[known] = known if names.size < MOST_NAMES && known.is_a?(String) && known.size < LONGEST_NAME
      known
    end
  end
end
