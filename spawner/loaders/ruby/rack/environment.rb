# frozen_string_literal: true

module JumpseatLoader
  # Rack's environment of a request, made of its CGI variables.
  class Environment
    TRUE = %w[on 1 true yes].freeze
    # What does not stand in a path as it is (RFC 3986: pchar and "/" do).
    ESCAPED = %r{[^A-Za-z0-9\-._~!$&'()*+,;=:@/]}n.freeze

    # `threads`: requests at a time; `multiprocess`: whether other processes serve the app, too.
    def initialize(server_software, threads, multiprocess)
      @template = {
        "REQUEST_METHOD" => "GET", "SCRIPT_NAME" => "", "PATH_INFO" => "", "QUERY_STRING" => "",
        "SERVER_NAME" => "localhost", "SERVER_PORT" => "80", "SERVER_PROTOCOL" => "HTTP/1.1",
        "SERVER_SOFTWARE" => server_software.b.freeze,
        "rack.version" => [1, 3].freeze,
        "rack.multithread" => threads > 1,
        "rack.multiprocess" => multiprocess,
        "rack.run_once" => false,
        "rack.hijack?" => true,
        "rack.url_scheme" => "http"
      }.freeze
    end

    # Returns the part of an environment that many requests share: these CGI variables and what follows from them.
    # Frozen; to be copied.
    def of(variables)
      derive(@template.merge(variables)).freeze
    end

    # Sets what follows from CGI variables that many requests share; returns the environment.
    def derive(env)
      env["HTTP_VERSION"] = env["SERVER_PROTOCOL"]
      https = env["HTTPS"]
      env["rack.url_scheme"] = "https" if https && TRUE.include?(https.downcase)
      env
    end

    # Adds what follows from the CGI variables of the request, and the body; returns the environment.
    def complete(env, input)
      keep_path_escaped(env)
      env["rack.input"] = input
      env["rack.errors"] = $stderr
      env["rack.response_finished"] = []
      # A body without a length, as it comes in chunks (PassengerBufferUpload off): apps ask this variable whether there
      # is one.
      env["HTTP_TRANSFER_ENCODING"] = "chunked" unless input.is_a?(StringIO) || env.key?("CONTENT_LENGTH")
      env
    end

    private

    # PATH_INFO of CGI is decoded, that of Rack is not: it is taken from REQUEST_URI, or escaped anew if that has another
    # path (mod_rewrite has changed it).
    def keep_path_escaped(env)
      path = env["PATH_INFO"]
      script_name = env["SCRIPT_NAME"]
      uri = path_of(env["REQUEST_URI"])
      decoded = script_name.empty? ? path : script_name + path
      if uri != decoded
        env["PATH_INFO"] = uri && same_path?(uri, decoded) ? rest_of(uri, script_name) : escape(path)
      elsif path.empty? && script_name.empty?
        env["PATH_INFO"] = "/"
      end
    end

    # Returns the path of a request's URI, also of one with a scheme and a host.
    def path_of(uri)
      return nil if uri.nil?

      path = uri.include?("?") ? uri[0, uri.index("?")] : uri
      path.start_with?("/") ? path : path[%r{\A[A-Za-z][A-Za-z0-9+.-]*://[^/]*(/.*)\z}m, 1]
    end

    # Returns what of an escaped path is behind the script's name.
    def rest_of(uri, script_name)
      return uri if script_name.empty?

      position = 0
      script_name.bytesize.times { position += uri.getbyte(position) == 37 ? 3 : 1 } # a percent sign
      uri.byteslice(position..-1)
    end

    # Returns whether `decoded` is what a server has made of `uri`; it may have left encoded slashes as they were
    # (Apache's AllowEncodedSlashes NoDecode).
    def same_path?(uri, decoded)
      unescape(uri, /%([0-9A-Fa-f]{2})/n) == decoded || unescape(uri, /%(?!2[Ff])([0-9A-Fa-f]{2})/n) == decoded
    end

    def unescape(path, encoded)
      return path unless path.include?("%")

      path.gsub(encoded) { $1.hex.chr }.force_encoding(Encoding::BINARY)
    end

    def escape(path)
      return "/" if path.empty?

      path.gsub(ESCAPED) { |byte| format("%%%02X", byte.ord) }
    end
  end
end
