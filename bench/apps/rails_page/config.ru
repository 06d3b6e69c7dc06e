# A Rails app with one page: a layout, a template and a query. Nothing is logged.
require "action_controller/railtie"
require "active_record/railtie"

class Library < Rails::Application
  config.load_defaults 6.1
  config.root = __dir__
  config.eager_load = true
  config.cache_classes = true
  config.consider_all_requests_local = false
  config.action_controller.perform_caching = true
  config.secret_key_base = "s" * 64
  config.hosts.clear
  config.logger = Logger.new(nil)
  config.log_level = :fatal

  routes.append { get "/books" => "books#index" }
end

class Book < ActiveRecord::Base
end

class BooksController < ActionController::Base
  def index
    name_worker if request.headers["X-Worker"]
    @books = Book.where("pages > ?", 100).order(:title).limit(20)
  end

  private

  def name_worker
    sleep 0.002
    response.headers["X-Worker"] = Process.pid.to_s
  end
end

Library.initialize!

run Library
