# frozen_string_literal: true

module JumpseatLoader
  # What is done before the first fork, so that workers share memory, and in each worker, so that they share nothing that
  # only one process can use.
  module Forking
    module_function

    # Collects what is not needed and moves the rest together: pages that nobody writes to stay shared. Once, before the
    # first fork.
    def warm_up
      return Process.warmup if Process.respond_to?(:warmup)

      GC.start
      compact
      GC.start
    end

    def compact
      GC.compact if GC.respond_to?(:compact)
    rescue NotImplementedError
      nil
    end

    # In the preloader, before each fork: closes the connections to databases that the import has opened. No worker can
    # use a copy of one: the other end knows one client only, and of SQLite's locks on its file a worker has none, while
    # the copy says that it holds them.
    def before_fork
      close("ActiveRecord") { active_record_pools.each(&:disconnect!) }
      close("Sequel") { sequel_databases.each(&:disconnect) }
    end

    def close(library)
      yield
    rescue StandardError => e
      AppLog.log_app_error("the connections of #{library} could not be closed before a fork", e)
    end

    # Without those of which another thread has a connection: ActiveRecord would wait for it.
    def active_record_pools
      return [] unless defined?(::ActiveRecord::Base)

      handler = ::ActiveRecord::Base.connection_handler
      pools =
        if active_record_version >= 7.1
          handler.connection_pool_list(:all)
        else
          handler.respond_to?(:all_connection_pools) ? handler.all_connection_pools : handler.connection_pool_list
        end
      pools.reject { |pool| pool.connections.any? { |connection| of_another_thread?(connection.owner) } }
    end

    # `owner`: who uses a connection, nil if nobody does. With Rails 7 it may be a fiber.
    def of_another_thread?(owner)
      owner.is_a?(Thread) && owner.alive? && owner != Thread.current
    end

    # In a forked worker, before the app's own hooks: other random numbers, own connections to databases.
    def after_fork
      srand
      reconnect_active_record
      sequel_databases.each(&:disconnect)
      reconnect_mongoid
    end

    # Each thread connects anew when it needs to.
    def reconnect_active_record
      return unless defined?(::ActiveRecord::Base)

      base = ::ActiveRecord::Base
      if active_record_version >= 7.1
        base.connection_handler.clear_all_connections!(:all)
      elsif base.respond_to?(:clear_all_connections!)
        base.clear_all_connections!
      elsif base.respond_to?(:establish_connection)
        base.establish_connection
      end
    end

    def active_record_version
      ::ActiveRecord::VERSION::STRING.to_f
    end

    # Without those in memory: a worker has a copy of its own, which would be lost.
    def sequel_databases
      return [] unless defined?(::Sequel::DATABASES)

      ::Sequel::DATABASES.reject { |database| in_memory?(database) }
    end

    def in_memory?(database)
      name = database.opts[:database].to_s
      database.database_type == :sqlite && (name.empty? || name.include?(":memory:") || name.include?("mode=memory"))
    end

    def reconnect_mongoid
      return unless defined?(::Mongoid::Clients) && ::Mongoid::Clients.respond_to?(:clients)

      ::Mongoid::Clients.clients.each_value do |client|
        client.close
        client.reconnect
      end
    end
  end

  # The threads that the import has started: a worker does not have them, unless somebody starts them again in it
  # (docs/preloading.md). Made in the preloader, before each fork.
  class LeftThreads
    MOST = 50 # warnings
    # Code of libraries that starts its thread again in a worker as soon as it is needed, or that does without it there.
    RESTARTED = Regexp.union(
      %r{/active_record/connection_adapters/abstract/connection_pool}, # the reaper of each pool, which a fork discards
      %r{/concurrent/atomic/(?:ruby_thread_local_var|locals)}, # tidies up after threads that have ended
      %r{/timeout(?:-[\d.]+/lib/timeout)?\.rb}
    ).freeze

    def initialize(files)
      @threads = (Thread.list - [Thread.main]).map { |thread| describe(thread, files) }.compact.uniq
    end

    # Returns what is missing in this worker: for each a name, a blank and the text for people.
    def warnings
      here = (Thread.list - [Thread.main]).map { |thread| thread.name.to_s }
      missing = @threads.reject { |name, _| here.include?(name) }
      missing.first(MOST).map do |name, place|
        "thread:#{name.split.join("_")} the thread '#{name}', which #{place}, was started during the import. The " \
          "workers do not have it: start it in PhusionPassenger.on_event(:starting_worker_process)."
      end
    end

    private

    # Returns the thread's name and what it runs. Ruby inspects a thread as #<Thread:0x...@name file:line status>.
    def describe(thread, files)
      place = thread.inspect[/ (\S+:\d+) /, 1]
      return nil if place.nil? || AppFiles.ours?(place) || RESTARTED.match?(place)

      place = files.absolute(place)
      [thread.name || place, "runs #{place}"]
    end
  end
end
