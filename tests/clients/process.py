"""Runs in the clients' environment: imports a script of functions and calls them by name, one JSON line each way, so that MLflow
(three seconds to import) is imported once for all tests. What a function raises goes back with its error code."""

import importlib.util
import json
import os
import sys
import traceback


def main() -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever the client prints is no answer
    functions: dict[str, object] = {}
    for path in sys.argv[1:]:
        spec = importlib.util.spec_from_file_location("script_" + os.path.basename(path).removesuffix(".py"), path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        functions |= {name: value for name, value in vars(module).items() if callable(value)}
    for line in sys.stdin:
        call = json.loads(line)
        try:
            answer = {"value": functions[call["name"]](*call["args"], **call["kwargs"])}
        except Exception as error:
            code = getattr(error, "error_code", "")
            answer = {"error": str(error), "code": str(code), "trace": traceback.format_exc()}
        answers.write(json.dumps(answer, default=str) + "\n")
        answers.flush()


main()
