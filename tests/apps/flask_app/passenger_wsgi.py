import sys

from flask import Flask, Response, jsonify, request, session, stream_with_context

application = Flask(__name__)
application.secret_key = "only-for-tests"


@application.route("/")
def index():
    return "hello from Flask"


@application.route("/count")
def count():
    session["count"] = session.get("count", 0) + 1
    return str(session["count"])


@application.route("/json", methods=["POST"])
def as_json():
    return jsonify(got=request.get_json(), url=request.url, root=request.script_root)


@application.route("/upload", methods=["POST"])
def upload():
    given = request.files["document"]
    return jsonify(name=given.filename, size=len(given.read()))


@application.route("/stream")
def stream():
    return Response(stream_with_context("part %d\n" % number for number in range(1000)), mimetype="text/plain")


@application.route("/fails")
def fails():
    raise RuntimeError("the route fails")


@application.route("/environment")
def environment():
    return sys.prefix
