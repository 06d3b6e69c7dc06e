Rails.application.routes.draw do
  root "items#index"
  resources :items, only: %i[create show]
  resource :session, only: %i[new create]
  get "/stream" => "streams#show"
  get "/endless" => "streams#endless"
  get "/fail" => "items#fail"
end
