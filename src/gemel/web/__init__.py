"""The face on the network: TLS, log-in, pages, and the carrying of the peer's calls. Runs unprivileged, in webd alone.

Law: it decides nothing. Whatever changes or shows something is a question to the agent, which checks the right to it
again; what comes in is bounded before it is read. No `effects`.

    app      the ASGI application: XML-RPC, REST, files, pages         security  cookie, CSRF token, headers
    site     from a request to a page: session, faults in words        visit     what a page works with
    menu     the menus, and where each area's page is                  form      a form made of a model, and its reading
    listing  the query of a list and its links                         words     the words of options
    body     a request's content, within bounds                    files     the pages' own files, and their addresses
    xmlrpc   the peer's calls                                       tls       two certificates behind one port
    furniture  what every template can use                          recipe    docs/recipe.md at /help/recipe
    pages/   one module for each kind of page; `every.PAGES` lists them

How a page is added. Write ``pages/NAME.py`` with plain functions ``def carp(visit: Visit) -> Response`` (they run in a
worker thread and may block) and a tuple ``PAGES = (Page("/status/carp", carp), …)``; add it in ``pages/every.py``; add
its entry in ``menu.py`` if it has one. In the function

    visit.ask(Status())              puts a question of `control.agent` with the visitor's session
    visit.query, visit.form          what the address and the POST said; visit.path holds {names} of the address
    visit.show("carp.html", x=x)     renders ``templates/carp.html``, which extends ``base.html`` (blocks title, main)
    visit.go("/status/carp", "Done") after a POST: redirect, with a notice on the next page

A form that comes back with what is wrong in it is a page like any other, and has status 200: browsers report 4xx as a
failed load. (REST says 409 and 422.) Parts that shall stay true while a page is open say ``data-live="status"``: see
``static/live.js``.

A POST has been checked for its CSRF token before the function is called; forms in templates say
``<form method="post">{{ csrf() }}…``, scripts send the header ``X-CSRF-Token`` (htmx does so by itself, see
``base.html``). `Refused` and `Unreachable` may be let through: the visitor gets a page that says so, or the log-in. No
inline script, no inline style, nothing from another host: the Content-Security-Policy forbids them. Scripts go to
``static/NAME.js`` and are loaded with ``{{ file("NAME.js") }}``; icons are named in ``static/icons.txt`` and drawn with
``{{ icon("lock") }}``. A page without ``Page(…, session=False)`` needs a log-in.

A new area needs none of this: its line in ``areas.every.AREAS`` gives it list, form, REST and menu entry.
Nor does a new fact: its line in ``facts.every.FACTS`` gives it its page, below its menu entry (``pages/facts.py``).
"""
