"""
Every fix beside the modules it acts on.

A fix is a context manager around the execution of one module of AllenNLP: what stands before its `yield` is done
before that module's code runs, what stands after it, afterwards. Each leaves a working dependency alone.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from types import ModuleType

from elmo_tasks.bridge.archives import contained_extraction
from elmo_tasks.bridge.construction import modern_unions
from elmo_tasks.bridge.program import known_plugin, one_sentence_for_mistakes, quiet_for_our_commands
from elmo_tasks.bridge.stand_ins import adamw_stand_in, fairscale_stand_in, hub_stand_in, torchvision_stand_in
from elmo_tasks.bridge.tokenizers import tokenizer_without_methods_as_options, tokenizer_without_model
from elmo_tasks.bridge.training import numpy_scalars_in_states, plateau_without_verbose, weights_only_by_default

Fix = Callable[[ModuleType], AbstractContextManager[None]]

FIXES: dict[str, tuple[Fix, ...]] = {
    "allennlp": (weights_only_by_default,),
    "allennlp.commands": (one_sentence_for_mistakes, quiet_for_our_commands),
    "allennlp.common.cached_transformers": (tokenizer_without_methods_as_options,),
    "allennlp.common.from_params": (modern_unions,),
    "allennlp.common.plugins": (known_plugin,),
    "allennlp.common.push_to_hf": (hub_stand_in,),
    "allennlp.common.util": (tokenizer_without_model,),
    "allennlp.data.image_loader": (torchvision_stand_in,),
    "allennlp.models.archival": (contained_extraction,),
    "allennlp.modules.vision.grid_embedder": (torchvision_stand_in,),
    "allennlp.modules.vision.region_detector": (torchvision_stand_in,),
    "allennlp.nn.checkpoint.fairscale_checkpoint_wrapper": (fairscale_stand_in,),
    "allennlp.nn.parallel.fairscale_fsdp_accelerator": (fairscale_stand_in,),
    "allennlp.training.checkpointer": (numpy_scalars_in_states,),
    "allennlp.training.learning_rate_schedulers.pytorch_lr_schedulers": (plateau_without_verbose,),
    "allennlp.training.optimizers": (adamw_stand_in,),
}
