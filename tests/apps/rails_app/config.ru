# A Rails app in one file: a database, a session, an upload, a streamed body and an error.
require "action_controller/railtie"
require "active_record/railtie"

class Shop < Rails::Application
  config.eager_load = true
  config.secret_key_base = "s" * 64
  config.hosts.clear
  config.logger = Logger.new($stderr)
  config.log_level = :fatal

  routes.append do
    get "/" => "items#index"
    post "/upload" => "items#upload"
    get "/stream" => "items#stream"
    get "/fail" => "items#fail"
  end
end

class ItemsController < ActionController::Base
  def index
    Item.create!(name: "one more")
    session[:visits] = session[:visits].to_i + 1
    render plain: "Rails #{Item.count} #{session[:visits]}"
  end

  def upload
    render json: { name: params[:file].original_filename, size: params[:file].size }
  end

  def stream
    self.response_body = %w[first last].lazy.map { |word| "#{word}\n" }
  end

  def fail
    raise "the app fails on purpose"
  end
end

Shop.initialize!

ActiveRecord::Schema.verbose = false
ActiveRecord::Schema.define { create_table(:items, force: true) { |table| table.string :name } }

class Item < ActiveRecord::Base
end

run Shop
