# Has no application.
