"""LiteRT as the oracle: its reference kernels, and its default path (XNNPACK)."""

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType


def interpreter(path, reference=True):
    kind = OpResolverType.BUILTIN_REF if reference else OpResolverType.AUTO
    made = Interpreter(model_path=str(path), experimental_op_resolver_type=kind, num_threads=1)
    made.allocate_tensors()
    return made


def run(path, inputs, reference=True):
    """Runs a list of {input tensor's name: array} one after the other from the same start.

    Gives a list of {output name: array}; the names are those of the model's signature where it has one."""
    made = interpreter(path, reference)
    names = {d["index"]: d["name"] for d in made.get_output_details()}
    if made.get_signature_list():
        names.update({d["index"]: n for n, d in made.get_signature_runner().get_output_details().items()})
    answers = []
    for feed in inputs:
        made.reset_all_variables()
        for detail in made.get_input_details():
            made.set_tensor(detail["index"], feed[detail["name"]])
        made.invoke()
        answers.append({names[d["index"]]: np.array(made.get_tensor(d["index"])) for d in made.get_output_details()})
    return answers
