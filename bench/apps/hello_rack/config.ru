# Thirteen bytes.
run lambda { |env|
  headers = { "Content-Type" => "text/plain", "Content-Length" => "13" }
  headers["X-Worker"] = Process.pid.to_s if env["HTTP_X_WORKER"]
  [200, headers, ["Hello, World!"]]
}
