"""
What AllenNLP loads: the one place that imports every component which registers itself under a name.

`elmo_tasks.bridge` makes this module known to the `allennlp` command; in a program of one's own, `import
elmo_tasks.plugin` registers everything.
"""

import elmo_tasks.bridge
from elmo_tasks.extras import require_allennlp

require_allennlp()

# After the bridge, since each of these imports AllenNLP.
import elmo_tasks.commands.subcommands
import elmo_tasks.embedding.embedder
import elmo_tasks.embedding.indexer
import elmo_tasks.embedding.word_indexer
import elmo_tasks.embedding.word_vectors
import elmo_tasks.nn.coupled_lstm
import elmo_tasks.nn.ensemble
import elmo_tasks.nn.highway_lstm
import elmo_tasks.reproduce.announcement
import elmo_tasks.reproduce.checkpointer
import elmo_tasks.reproduce.official
import elmo_tasks.reproduce.optimizer
import elmo_tasks.reproduce.precision
import elmo_tasks.reproduce.schedule
import elmo_tasks.reproduce.train_loop
import elmo_tasks.reproduce.trainer
import elmo_tasks.tasks.coref.model
import elmo_tasks.tasks.coref.predictor
import elmo_tasks.tasks.coref.reader
import elmo_tasks.tasks.ner.model
import elmo_tasks.tasks.ner.predictor
import elmo_tasks.tasks.ner.reader
import elmo_tasks.tasks.snli.model
import elmo_tasks.tasks.snli.predictor
import elmo_tasks.tasks.snli.reader
import elmo_tasks.tasks.squad.characters
import elmo_tasks.tasks.squad.model
import elmo_tasks.tasks.squad.predictor
import elmo_tasks.tasks.squad.reader
import elmo_tasks.tasks.squad.tokens
import elmo_tasks.tasks.srl.model
import elmo_tasks.tasks.srl.predictor
import elmo_tasks.tasks.srl.reader
import elmo_tasks.tasks.sst5.model
import elmo_tasks.tasks.sst5.predictor
import elmo_tasks.tasks.sst5.reader
from elmo_tasks.reproduce import profile

profile.publish()
