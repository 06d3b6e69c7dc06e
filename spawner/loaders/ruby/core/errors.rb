# frozen_string_literal: true

# What goes wrong in a hosted app's process, typed by whose fault it is. Each kind is turned into an answer in one place:
# in RequestHandler for a request, in Preloader for the control line.
module JumpseatLoader
  # The client (or httpd for it) closed the connection: nobody is there to be answered. An IOError, so that frameworks
  # which expect a failing `rack.input` know it.
  class ClientLeft < IOError; end

  # Nobody's fault: the request waited in the queue until its peer gave up. The app does not get it.
  class TooLate < StandardError; end

  # The peer's fault: what it sent is no request as docs/protocol.md, section 2, has it.
  class BadRequest < StandardError
    # The status of the answer, and whether the answer is to be framed.
    attr_reader :status
    attr_accessor :framed

    def initialize(reason, status = "400 Bad Request")
      super(reason)
      @status = status
      @framed = false
    end
  end

  # The app's fault: Rack or HTTP does not allow its response.
  class InvalidResponse < StandardError; end

  # The app's fault: it cannot be loaded. `cause` is the app's own error, if there is one.
  class LoadFailure < StandardError
    # One of the steps that docs/protocol.md names.
    attr_reader :step

    def initialize(step, summary)
      super(summary)
      @step = step
    end
  end

  # The other end of the control line is closed: the process ends as if told to retire.
  class LineClosed < StandardError; end

  # The spawner's fault: a message that this process cannot accept in its state.
  class UnexpectedMessage < StandardError; end

  # The peer's fault: what came is no netstring of names and values.
  class MalformedMessage < StandardError; end

  # The steps of a start that a loader reports itself, as docs/error-pages.md has them.
  module Steps
    READ = "read the entry file"
    COMPILE = "compile the entry file"
    IMPORT = "import the app"
    FIND = "find the application"
    AFTER_FORK = "run after_fork()"
  end
end
