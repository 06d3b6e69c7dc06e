# Does not compile.

run lambda { |env|
