const http = require('http'
