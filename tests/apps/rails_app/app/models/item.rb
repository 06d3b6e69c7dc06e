class Item < ApplicationRecord
  has_one_attached :picture
end
