class ApplicationController < ActionController::Base
  before_action :require_user

  private

  def require_user
    @user = User.find_by(id: session[:user_id])
    redirect_to new_session_path unless @user
  end
end
