class StreamsController < ApplicationController
  include ActionController::Live

  skip_before_action :require_user
  # Without it, Rack::ETag waits for the whole body (Rails 6.1).
  before_action { response.headers["Last-Modified"] = Time.now.httpdate }

  def show
    response.stream.write "#{Process.pid}\n"
    sleep 0.005 until File.exist?("events/gate-#{params[:gate]}")
    response.stream.write "last\n"
  ensure
    response.stream.close
  end

  def endless
    loop do
      response.stream.write "again\n"
      sleep 0.005
    end
  rescue ActionController::Live::ClientDisconnected
    File.write("events/client-left", "")
  ensure
    response.stream.close
  end
end
