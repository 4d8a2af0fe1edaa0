"""What is known of public tasks, and how their images are had."""
