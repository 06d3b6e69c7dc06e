require('http').createServer();
