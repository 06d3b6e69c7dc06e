class SessionsController < ApplicationController
  skip_before_action :require_user

  def new; end

  def create
    user = User.find_by(name: params[:name])
    return render :new, status: :unprocessable_entity unless user&.authenticate(params[:password])

    reset_session
    session[:user_id] = user.id
    redirect_to root_path
  end
end
