# frozen_string_literal: true

require_relative "../core/errors"

module JumpseatLoader
  # Loads an app: its load path first (Bundler), then Rack, then the entry file as rackup does.
  class AppLoader
    BOM = "\xEF\xBB\xBF".b.freeze
    NO_RUN = /\Amissing run or map statement/.freeze # what Rack::Builder raises

    # `app_root`: the working directory; `startup_file`: relative to it.
    def initialize(app_root, startup_file)
      @path = File.join(File.realpath(app_root), startup_file)
      @startup_file = startup_file
    end

    # Returns the app. The block runs when libraries can be loaded, before the app itself. Raises LoadFailure, also for
    # what the block raises.
    def load(&before_app)
      script = read
      import { set_up_load_path }
      import { complete_socket }
      import(&before_app) if before_app
      import { require_rack }
      compile(script)
      app = import { evaluate(script) }
      return app if app.respond_to?(:call)

      raise LoadFailure.new(Steps::FIND, "#{@path} gives an app without a method 'call': it is of class #{app.class}")
    end

    # Whether the app's Rack has the rules of Rack 3.
    def self.rack3?
      defined?(::Rack) && ::Rack.respond_to?(:release) && ::Rack.release.to_i >= 3
    end

    private

    # Returns the entry file without a byte order mark and what follows __END__.
    def read
      script = File.binread(@path)
      script = script.byteslice(BOM.bytesize..-1) if script.start_with?(BOM)
      script.sub(/^__END__\r?\n.*\z/m, "").force_encoding(Encoding::UTF_8)
    rescue SystemCallError => e
      raise LoadFailure.new(Steps::READ, "the entry file #{@path} cannot be read: #{e.message[/\A[^@]*/].strip}")
    end

    # The app's own file for it goes first; without one it is Bundler, if the app has a Gemfile.
    def set_up_load_path
      file = ["config/setup_load_paths.rb", ".bundle/environment.rb"].find { |name| File.exist?(name) }
      if file
        require File.expand_path(file)
      elsif ENV["BUNDLE_GEMFILE"] || File.exist?("Gemfile") || File.exist?("gems.rb")
        require "bundler/setup"
      end
    end

    # Loads what the loader has left out of the library socket, in the version of its gem that the app asks for. Before
    # the app: Bootsnap takes a library of which the extension is there for loaded, and so the app's `require "socket"`
    # would do nothing. The ending makes it look for this file.
    def complete_socket
      require "socket.rb"
    end

    def require_rack
      require "rack"
    rescue LoadError => e
      raise LoadError, "#{e.message.lines.first.strip}: the app has to have the gem rack, in its Gemfile if it has one"
    end

    # A file that does not compile is told apart from an error within it.
    def compile(script)
      verbose = $VERBOSE
      $VERBOSE = nil # its warnings come when it is evaluated
      RubyVM::InstructionSequence.compile(script, @startup_file)
    rescue SyntaxError => e
      raise LoadFailure.new(Steps::COMPILE, AppLog.summary(e))
    ensure
      $VERBOSE = verbose
    end

    # Newer versions of Rack return the app, older ones the app or the app with options.
    def evaluate(script)
      app, = ::Rack::Builder.new_from_string(script, @startup_file)
      app
    end

    # Runs code of the app. Raises LoadFailure for whatever it raises, but for signals.
    def import
      yield
    rescue SignalException
      raise
    rescue SystemExit => e
      raise LoadFailure.new(Steps::IMPORT, "the app exits while it is loaded, with status #{e.status}")
    rescue RuntimeError => e
      step = NO_RUN.match?(e.message) ? Steps::FIND : Steps::IMPORT
      raise LoadFailure.new(step, step == Steps::FIND ? "#{@path} has no 'run': #{e.message}" : AppLog.summary(e))
    rescue Exception => e # rubocop:disable Lint/RescueException -- the app's own code
      raise LoadFailure.new(Steps::IMPORT, AppLog.summary(e))
    end
  end
end
