# frozen_string_literal: true

# Not `socket`: that loads default gems, of which the app's Gemfile may ask for another version. AppLoader loads the rest.
require "socket.so"
require_relative "errors"
require_relative "wire"

module JumpseatLoader
  # One packet: its type, its other fields in order, and its descriptors as IO objects, which the receiver owns.
  class ControlMessage
    attr_reader :kind, :descriptors

    def initialize(kind, fields, descriptors)
      @kind = kind
      @fields = fields
      @descriptors = descriptors
    end

    # Returns the first value of a name, "" without one.
    def [](name)
      found = @fields.assoc(name)
      found ? found[1] : ""
    end

    # Close the descriptors: the message is of no use.
    def close
      @descriptors.each(&:close)
    end
  end

  # The process's end of its control line: whole messages with descriptors, over SOCK_SEQPACKET (docs/protocol.md,
  # section 5). Blocking: send and receive wait for the other side.
  class ControlLine
    PACKET_SIZE = Wire::CONTROL_MESSAGE_LIMIT + 16
    ANCILLARY_SIZE = 256 # bytes: room for more descriptors than any message has
    GONE = [Errno::EPIPE, Errno::ECONNRESET, Errno::ENOTCONN].freeze

    # `descriptor`: a connected SOCK_SEQPACKET socket, owned from now on. An exec of the app passes it on, until
    # `close_on_exec`.
    def initialize(descriptor)
      @socket = Socket.for_fd(descriptor)
      @socket.close_on_exec = false
      @sending = Mutex.new
    end

    # For IO.select.
    def to_io
      @socket
    end

    def close_on_exec
      @socket.close_on_exec = true
    end

    def close
      @socket.close
    end

    # Sends one message. Raises LineClosed when nobody can receive it.
    def send_message(kind, fields = [])
      packet = Wire.encode([["type", kind], *fields])
      @sending.synchronize { @socket.send(packet, 0) }
    rescue *GONE => e
      raise LineClosed, e.message
    end

    # Waits for the next message; nil at the end of the line. Raises MalformedMessage.
    def receive
      packet, controls = receive_packet
      return nil if packet.nil? || packet.empty?

      fields = Wire.decode(packet)
      unless fields.first && fields.first.first == "type"
        raise MalformedMessage, "a control message begins with #{packet[0, 40].inspect}"
      end

      ControlMessage.new(fields.shift.last, fields, JumpseatLoader.passed_descriptors(controls))
    end

    private

    # BasicSocket#recvmsg is part of `socket`, and calls this.
    def receive_packet
      packet, _address, _flags, *controls =
        @socket.__send__(:__recvmsg, PACKET_SIZE, 0, ANCILLARY_SIZE, { scm_rights: true })
      [packet, controls]
    rescue *GONE
      [nil, []]
    end
  end

  # Returns the descriptors that came with a message, as IO objects; the caller owns them.
  def self.passed_descriptors(controls)
    controls.flat_map { |control| control.cmsg_is?(:SOCKET, :RIGHTS) ? control.unix_rights : [] }
  end
end
