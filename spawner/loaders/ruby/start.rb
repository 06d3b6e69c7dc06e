# frozen_string_literal: true

# The program of every hosted Ruby app's process: `<ruby> <folder>/loaders/ruby/start.rb <descriptor> <title>`.
#
# Loads the loader, whose constants stand under one private name, removes its variables from the environment, and hands
# over. $0 and ARGV stay: an app that executes another Ruby with them comes here again. There are no local variables:
# config.ru would see them.

require_relative "preloader"

Object.send(:private_constant, :JumpseatLoader)
ENV.delete_if { |name, _| name.start_with?("JUMPSEAT_") }
JumpseatLoader::Preloader.run(Integer(ARGV.fetch(0)))
