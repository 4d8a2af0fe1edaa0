"""One query on its way: what is asked, the adapter that answers, and all that is known of both."""
