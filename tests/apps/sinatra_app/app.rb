require "json"
require "sinatra/base"

# Forms, a session, an upload, a stream, a file and an error, as Sinatra's users write them.
class Shop < Sinatra::Base
  enable :sessions
  set :session_secret, "s" * 64

  get("/") { "Sinatra #{session[:name]}" }

  post "/login" do
    session[:name] = params["name"]
    redirect to("/")
  end

  post "/upload" do
    content_type :json
    { "name" => params["file"][:filename], "size" => params["file"][:tempfile].size }.to_json
  end

  get "/stream" do
    stream do |out|
      out << "first\n"
      out << "last\n"
    end
  end

  get("/file") { send_file "app.rb", type: "text/plain" }
  get("/fail") { raise "the app fails on purpose" }
end
