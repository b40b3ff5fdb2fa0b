"""Tables, figures and web pages of the results."""
