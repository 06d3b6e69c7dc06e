class ItemsController < ApplicationController
  def index
    @items = Item.all
  end

  def create
    redirect_to Item.create!(params.require(:item).permit(:name, :picture))
  end

  def show
    redirect_to rails_storage_proxy_path(Item.find(params[:id]).picture)
  end

  def fail
    raise "the app fails on purpose"
  end
end
