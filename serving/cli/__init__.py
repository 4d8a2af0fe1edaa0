"""The service at the command line: one module per command."""

from typing import Final

from adapters.program import Command, Table

TABLE: Final = Table(
    title="the service",
    extra="serve",
    commands={
        "serve": Command("start Redis and the service, wait until ready", "serving.cli.start"),
        "start": Command("the same as serve", "serving.cli.start"),
        "run": Command("start, and stay; on SIGTERM answer all, then end", "serving.cli.run"),
        "stop": Command("answer all who have asked, then stop", "serving.cli.stop"),
        "ready": Command("exit with 0 if the service takes callers, else 1", "serving.cli.ready"),
        "rotate": Command("replace the token that callers send", "serving.cli.operating.rotate"),
        "key": Command("make a key for a tenant", "serving.cli.operating.key"),
        "openapi": Command("print the ASGI front's OpenAPI", "serving.cli.operating.openapi"),
        "guard": Command("end or promote a canary by a rule", "serving.cli.operating.guard"),
        "export": Command("write the trunk as ONNX, compared with torch", "serving.cli.export"),
        "tune": Command("measure which backend is fastest on this machine", "serving.cli.tune"),
        "operations": Command(
            "write dashboard, alerts and deployment files",
            "serving.cli.operating.operations",
        ),
        "link": Command("put Java and Redis on an environment's PATH", "serving.cli.link"),
    },
)
