# frozen_string_literal: true

# The app's own file for its load path: Rack is not there yet.
SETUP = defined?(Rack) ? "with Rack" : "before Rack"
