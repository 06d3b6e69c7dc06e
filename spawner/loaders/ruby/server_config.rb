# frozen_string_literal: true

module JumpseatLoader; end

# Evaluates a file. It stands outside of the module, so that the file finds none of its constants. The file does see the
# names of the parameters.
JumpseatLoader::EVALUATE = ->(words__, script__, path__) { words__.instance_eval(script__, path__, 1) }

module JumpseatLoader
  # What a configuration file of Puma or Unicorn says: its words, in their order, with their arguments and blocks. None of
  # them has an effect. Since the file is Ruby, its conditions and its variables of the environment count.
  #
  # Used by ServerHooks and by `jumpseat migrate`. It loads no library: the app's Gemfile chooses their versions.
  class ServerConfig
    # One word: a Symbol, its arguments, its block or nil, and where it stands.
    Call = Struct.new(:word, :arguments, :block, :file, :line)

    # `missing`: Calls of `require` for libraries that are not there.
    attr_reader :calls, :missing

    def initialize
      @calls = []
      @missing = []
      @files = []
      @waiting = []
      @words = Words.new(self)
    end

    # Evaluates a file, then those that it loads. Raises whatever they raise, and SystemCallError.
    def evaluate(path)
      @waiting << path
      until @waiting.empty?
        file = File.expand_path(@waiting.shift)
        @files << file
        EVALUATE.call(@words, File.read(file, :encoding => "UTF-8"), file)
      end
    end

    # Runs the blocks of Puma's `cluster` or `single`.
    def run_blocks_of(mode)
      @calls.select { |call| call.word == mode && call.block }.each { |call| @words.instance_eval(&call.block) }
    end

    # Returns the first arguments of a word, each time that it was said with one.
    def values_of(word)
      @calls.select { |call| call.word == word && !call.arguments.empty? }.map { |call| call.arguments.first }
    end

    # Enters a word; returns nil.
    def add(word, arguments, block)
      @calls << call_of(word, arguments, block)
      nil
    end

    # Enters a library that cannot be required.
    def add_missing(name)
      @missing << call_of(:require, [name], nil)
    end

    # Has a file evaluated after the present one.
    def load_later(path)
      @waiting << path
    end

    # Returns where an error comes from in these files, nil if from nowhere: file and line.
    def place_of(error)
      [error.message, *error.backtrace].each do |line| # the message of a SyntaxError begins with the place
        file = @files.find { |one| line.start_with?("#{one}:") }
        return [file, line[file.size + 1..-1].to_i] if file
      end
      nil
    end

    private

    def call_of(word, arguments, block)
      location = caller_locations.find { |one| @files.include?(one.path) }
      Call.new(word, arguments, block, location ? location.path : "", location ? location.lineno : 0)
    end

    # What stands for Puma's and Unicorn's own classes and constants: takes everything, and does nothing.
    module Placeholder
      class << self
        def const_missing(_name)
          self
        end

        def method_missing(name, *)
          name.to_s.start_with?("to_") ? super : self
        end

        def respond_to_missing?(*)
          false
        end
      end
    end

    # `self` of the file: each method that it does not have is a word.
    class Words
      OF_SERVERS = %i[Puma Unicorn Configurator HttpServer DEFAULTS].freeze
      OF_KERNEL = %i[debug directory timeout].freeze # what some library defines for every object

      # Puma and Unicorn are not loaded.
      def self.const_missing(name)
        return Placeholder if OF_SERVERS.include?(name)

        raise NameError, "uninitialized constant #{name}", caller(1) # as if the file had no `self` of ours
      end

      def initialize(config)
        @config = config
        @options = {}
      end

      OF_KERNEL.each do |name|
        define_method(name) { |*arguments, &block| @config.add(name, arguments, block) }
      end

      def method_missing(name, *arguments, &block)
        return super if name.to_s.start_with?("to_") # Ruby asks whether it can be converted

        @config.add(name, arguments, block)
      end

      def respond_to_missing?(*)
        false
      end

      # A library for Puma may be absent.
      def require(name)
        super
      rescue LoadError
        @config.add_missing(name)
        false
      end

      # Puma's: another file of the same kind, after this one.
      def load(path, *)
        @config.load_later(path)
      end

      # Puma's: the value of an option.
      def get(name, default = nil)
        @config.values_of(name.to_sym).fetch(-1, default)
      end

      # Puma's.
      def default_host
        get(:set_default_host, "0.0.0.0")
      end

      # Puma's: words in a block.
      def inject(&block)
        instance_eval(&block)
      end
    end
  end
end
