require "./app"
run Shop
