"""Processes of apps as the operating system has them: started, spoken with, watched, ended."""
