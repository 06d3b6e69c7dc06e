# Instead of `rails db:setup`. So the app uses its database while it is loaded, as many do.
Rails.application.config.after_initialize do
  ActiveModel::SecurePassword.min_cost = true
  ActiveRecord::Schema.verbose = false
  load Rails.root.join("db/schema.rb")
  User.create!(name: "Ada", password: "secret")
end
