"""What `jumpseat validate-install` looks at: one object per part of an installation."""
