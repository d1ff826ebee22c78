"""The status page: what it shows, its template and its static files. Flask is in `app.web.page_routes`."""
