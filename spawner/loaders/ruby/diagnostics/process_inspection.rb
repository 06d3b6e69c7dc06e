# frozen_string_literal: true

module JumpseatLoader
  # What others can see of this process: its title in `ps` and `top`, and its stacks when a signal asks for them.
  module ProcessInspection
    LONGEST_COMMAND = 15 # bytes

    module_function

    # Names the process `jumpseat: <title>`. $0 stays: an app may execute its interpreter again with it.
    def title=(title)
      Process.setproctitle("jumpseat: #{title}")
    end

    # Names the process's command `jumpseat-<command>`, where the system lets it.
    def command=(command)
      File.write("/proc/self/comm", "jumpseat-#{command}"[0, LONGEST_COMMAND])
    rescue SystemCallError
      nil
    end

    # Has the signal write the stacks of all threads to the app's log, in this process and those that it forks. Ruby
    # runs the handler in the main thread, as soon as that is in no C code.
    def write_stacks_on(signal_number)
      trap(signal_number) { write_stacks }
    end

    # In the format of docs/decisions/012-stacks-by-a-signal.md, to the descriptor, wherever $stderr leads.
    def write_stacks
      text = Thread.list.map { |thread| stack_of(thread) }.join("\n")
      IO.for_fd(2, autoclose: false).syswrite(text)
    rescue SystemCallError
      nil
    end

    def stack_of(thread)
      frames = (thread.backtrace_locations || []).reject { |frame| own?(frame) }
      name = thread.name || (thread == Thread.main ? "main" : "thread")
      lines = frames.map { |frame| place(frame) }
      format("Thread 0x%016x [%s] (most recent call first):\n%s", thread.object_id, name, lines.join)
    end

    # Whether a call is this module's own: the handler is on the stack of the main thread; or a method of Ruby's that is
    # written in Ruby: no file has it.
    def own?(frame)
      frame.path == __FILE__ || frame.path.start_with?("<internal:")
    end

    def place(frame)
      "  File \"#{frame.absolute_path || frame.path}\", line #{frame.lineno} in #{frame.base_label}\n"
    end
  end
end
