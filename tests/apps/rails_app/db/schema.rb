ActiveRecord::Schema.define(version: 1) do
  create_table "users" do |t|
    t.string "name"
    t.string "password_digest"
  end

  create_table "items" do |t|
    t.string "name"
  end

  create_table "active_storage_blobs" do |t|
    t.string "key", null: false, index: { unique: true }
    t.string "filename", null: false
    t.string "content_type"
    t.text "metadata"
    t.string "service_name", null: false
    t.bigint "byte_size", null: false
    t.string "checksum", null: false
    t.datetime "created_at", null: false
  end

  create_table "active_storage_attachments" do |t|
    t.string "name", null: false
    t.references "record", polymorphic: true, null: false
    t.references "blob", null: false
    t.datetime "created_at", null: false
  end
end
