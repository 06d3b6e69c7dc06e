# Thirteen bytes.
run lambda { |env|
  headers = { "Content-Type" => "text/plain", "Content-Length" => "13" }
  if env["HTTP_X_WORKER"]
    sleep 0.002
    headers["X-Worker"] = Process.pid.to_s
  end
  [200, headers, ["Hello, World!"]]
}
