# frozen_string_literal: true

require_relative "app_log"
require_relative "exception_serializer"
require_relative "masking"

module JumpseatLoader
  # HTML of error pages, with the look that shared/error_page.py has: no script, nothing from elsewhere.
  module Html
    STYLE = ":root{color-scheme:light dark}" \
            "body{font:16px/1.5 system-ui,sans-serif;margin:3em auto;max-width:60em;padding:0 1em}" \
            "h1{font-size:1.5em}h2{font-size:1.15em;margin-top:2em}" \
            "pre,code{font-family:ui-monospace,monospace;font-size:14px}" \
            "pre{padding:.7em;overflow:auto;background:#8881;border-left:3px solid #8886}" \
            "pre mark{font-weight:bold;color:inherit;background:#f804}" \
            "th{text-align:left;padding-right:1em;vertical-align:top;font-weight:normal;opacity:.75}" \
            "td{overflow-wrap:anywhere;white-space:pre-wrap}.app{font-weight:bold}" \
            "summary{cursor:pointer}details{margin:.5em 0}"
    SPECIAL = { "&" => "&amp;", "<" => "&lt;", ">" => "&gt;", '"' => "&quot;", "'" => "&#x27;" }.freeze
    HEAD = '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">' \
           '<meta name="robots" content="noindex">'

    module_function

    # Returns text as HTML shows it.
    def escape(text)
      AppLog.text(text).gsub(/[&<>"']/, SPECIAL).gsub(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/, "\u{fffd}")
    end

    # Returns an element around HTML.
    def element(tag, *html)
      "<#{tag}>#{html.join}</#{tag[/\A\w+/]}>"
    end

    # Returns a whole page with the title as its heading.
    def document(title, *html)
      head = element("head", HEAD, element("title", escape(title)), element("style", STYLE))
      body = element("body", element("main", element("h1", escape(title)), *html))
      "<!DOCTYPE html>\n<html lang=\"en\">#{head}\n#{body}</html>\n"
    end

    def section(title, *html)
      element("section", element("h2", escape(title)), *html)
    end

    # Returns a part of a page that is opened by its title.
    def folded(title, *html)
      element("details", element("summary", escape(title)), *html)
    end

    # Returns names and values side by side.
    def table(rows)
      lines = rows.map { |name, value| element("tr", element('th scope="row"', escape(name)), element("td", escape(value))) }
      element("table", element("tbody", *lines))
    end

    # Returns one text per line.
    def lines(texts)
      element("pre", escape(texts.join("\n")))
    end

    # Returns a backtrace: the app's own frames with their source, those of libraries folded.
    def exceptions(raised)
      raised.map { |each| exception(each) }.join
    end

    def exception(raised)
      groups = raised["frames"].chunk_while { |one, other| !one["of_app"] && !other["of_app"] }
      parts = groups.map { |frames| frames.first["of_app"] ? place(frames.first, "app") : library(frames) }
      parts << element("p", "#{raised["left_out"]} frames in the middle are left out.") if raised["left_out"].positive?
      parts << element("pre", element("strong", escape(raised["title"])))
      parts << element("p", "This was the direct cause of:") if raised["link"] == "cause"
      parts.join
    end

    def library(frames)
      count = frames.size == 1 ? "1 frame" : "#{frames.size} frames"
      folded("#{count} in libraries, the last in #{frames.last["file"]}", *frames.map { |frame| place(frame, "library") })
    end

    def place(frame, kind)
      inside = frame["function"].empty? ? "" : ", in #{escape(frame["function"])}"
      where = element("p class=\"#{kind}\"", element("code", escape("#{frame["file"]}, line #{frame["line"]}")), inside)
      return where if frame["source"].empty?

      lines = frame["source"].each_with_index.map { |line, index| source_line(frame, frame["first"] + index, line) }
      where + element("pre", *lines)
    end

    def source_line(frame, number, line)
      text = escape(format("%5d  %s", number, line))
      "#{number == frame["line"] ? element("mark", text) : text}\n"
    end
  end

  # Whether a client wants its errors as JSON (RFC 9110, 12.5.1), decided as shared/accept_header.py does.
  module AcceptHeader
    module_function

    def wants_json?(accept, content_type)
      json = best(accept, "application/*") { |name| json?(name) }
      html = best(accept, "text/*") { |name| ["text/html", "application/xhtml+xml"].include?(name) }
      return json[1] > html[1] if json[1] != html[1]
      return json[0] > html[0] if json[1].positive? && json[0] != html[0]
      return json[2] > html[2] if json[1].positive? && json[0] == 3

      json?(essence(content_type.to_s))
    end

    # Returns precision, quality and position of the range that says most.
    def best(accept, wildcard)
      ranges = accept.to_s.split(",", -1).each_with_index.map do |part, index|
        name = essence(part)
        precision = yield(name) ? 3 : { wildcard => 2, "*/*" => 1 }.fetch(name, 0)
        [precision, quality(part), -index]
      end
      ranges.select { |range| range[0].positive? }.max || [0, 0.0, 0]
    end

    def json?(name)
      name == "application/json" || (name.end_with?("+json") && name != "+json")
    end

    def essence(value)
      value.split(";", 2).first.to_s.strip.downcase
    end

    def quality(part)
      value = part.split(";").drop(1).map { |each| each.split("=", 2) }.reverse.find { |name, _| name.to_s.strip.casecmp?("q") }
      number = Float(value ? value[1].to_s.strip : "1")
      number.nan? ? 0.0 : number.clamp(0.0, 1.0)
    rescue ArgumentError
      1.0
    end
  end

  # The response to a request that the app could not answer: a short page, a friendly one, or JSON.
  class ErrorResponses
    TITLE = "The application could not answer this request"
    HEADERS = {
      "Cache-Control" => "no-store",
      "X-Content-Type-Options" => "nosniff",
      "Content-Security-Policy" => "default-src 'none'; style-src 'unsafe-inline'"
    }.freeze
    HTML_TYPE = "text/html; charset=utf-8"
    JSON_TYPE = "application/json"
    FRIENDLY_NOTE = "This page is shown because PassengerFriendlyErrorPages is on, as it is by default when " \
                    "PassengerAppEnv is development. Visitors of a public site should not see it."

    attr_reader :files, :friendly

    # `friendly`: whether the pages show what happened.
    def initialize(files, friendly)
      @files = files
      @friendly = friendly
    end

    # Returns eight hex digits that connect the page with the log.
    def self.new_error_id
      Random.urandom(4).unpack1("H8")
    end

    # Returns Content-Type and body of a page that says one sentence.
    def self.plain(title, sentence)
      [HTML_TYPE, Html.document(title, Html.element("p", Html.escape(sentence)))]
    end

    # Returns Content-Type and body for a request that an error ended; the error id stands in the log, too.
    def page(env, error, error_id)
      as_json = AcceptHeader.wants_json?(env["HTTP_ACCEPT"], env["CONTENT_TYPE"])
      return friendly_page(env, error, error_id, as_json) if @friendly

      as_json ? json(error_id, {}) : short(error_id)
    rescue StandardError => e # an exception class of the app's own may do anything
      AppLog.log_app_error("the error page failed", e)
      short(error_id)
    end

    private

    def json(error_id, more)
      error = { "status" => 500, "title" => TITLE, "id" => error_id, "retry_after" => nil }.merge(more)
      [JSON_TYPE, "#{Json.generate("error" => error)}\n"]
    end

    def short(error_id)
      sentence = "Something went wrong in the application. Trying again later may help."
      where = "If this is your site: you find the cause in the error log of the web server or of the application, under " \
              "the error id "
      [HTML_TYPE, Html.document(TITLE, Html.element("p", sentence), Html.element("p", where, Html.element("code", error_id), "."))]
    end

    def friendly_page(env, error, error_id, as_json)
      summary = Masking.text(AppLog.summary(error))
      if as_json
        backtrace = Masking.lines(AppLog.backtrace(error, @files)).split("\n")
        return json(error_id, "step" => nil, "summary" => summary, "traceback" => backtrace)
      end
      id = Html.element("p", "Error id, also in the log of the application: ", Html.element("code", error_id))
      [HTML_TYPE, Html.document(TITLE, Html.element("p", Html.element("strong", Html.escape(summary))), id, *sections(env, error))]
    end

    def sections(env, error)
      raised = ExceptionSerializer.serialize(error, @files)
      [
        Html.section("Backtrace", Html.exceptions(raised)),
        Html.section("Request", Html.table(request(env))),
        Html.section("Process", Html.table(process), *long_lists(env)),
        Html.element("p", FRIENDLY_NOTE)
      ]
    end

    def request(env)
      [
        ["Method", env["REQUEST_METHOD"]],
        ["Host", env["HTTP_HOST"] || env["SERVER_NAME"]],
        ["Path", "#{env["SCRIPT_NAME"]}#{env["PATH_INFO"]}"],
        ["Query", Masking.text(AppLog.text(env["QUERY_STRING"]))]
      ]
    end

    def process
      [["Interpreter", "#{RbConfig.ruby} (#{RUBY_DESCRIPTION})"], ["Process", Process.pid], ["Working directory", Dir.pwd]]
    end

    def long_lists(env)
      [
        Html.folded("$LOAD_PATH", Html.lines($LOAD_PATH)),
        Html.folded("Gems", Html.lines(gems)),
        Html.folded("Rack environment", Html.table(Masking.variables(env))),
        Html.folded("Environment variables, secrets hidden", Html.table(Masking.variables(ENV)))
      ]
    end

    def gems
      defined?(::Gem) ? ::Gem.loaded_specs.values.map { |spec| "#{spec.name} #{spec.version}" }.sort : []
    end
  end
end
