"""REST below /api/v1, with OpenAPI made of the same models as everything else: ``GET /api/v1/openapi.json``.

Law: it decides nothing and knows no door: it is given `ask`, and a function that says whose session a request has. What
the agent refuses becomes a status: 401 no session, 403 no privilege, 404 no such thing, 409 not now or changed
meanwhile, 422 a value that will not do; the body says which field and why (`replies.Error`). No `effects`.

    curl -k https://NODE/api/v1/login -d '{"username": "admin", "password": "…"}'      ->  {"token": "…", …}
    curl -k https://NODE/api/v1/rules -H "Authorization: Bearer …"
    curl -k https://NODE/api/v1/rules -H "X-API-Key: $(gemel key add --name reading)"

The description says nothing that is not so: `tests/unit/api/samples` makes calls of it for every route.

A new area's routes follow from its line in ``areas.every.AREAS``.
"""
