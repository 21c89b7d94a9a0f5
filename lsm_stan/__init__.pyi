# The public names, and the modules that have them: __init__.py reads this file.

from lsm_stan.analysis import run as run
from lsm_stan.cmdstan.find import find_toolchain as find_toolchain
from lsm_stan.cmdstan.install import ensure_toolchain as ensure_toolchain
from lsm_stan.config import AnalysisConfig as AnalysisConfig
from lsm_stan.config import load_config as load_config
from lsm_stan.criticism.comparison import compare as compare
from lsm_stan.criticism.ppc import predictive_checks as predictive_checks
from lsm_stan.criticism.prior_check import check_priors as check_priors
from lsm_stan.criticism.results import describe_result as describe_result
from lsm_stan.criticism.verdict import judge as judge
from lsm_stan.criticism.verdict import judge_model as judge_model
from lsm_stan.errors import InferenceError as InferenceError
from lsm_stan.errors import InputError as InputError
from lsm_stan.errors import LsmStanError as LsmStanError
from lsm_stan.errors import MachineError as MachineError
from lsm_stan.errors import ToolchainError as ToolchainError
from lsm_stan.inference.fit import Fit as Fit
from lsm_stan.inference.fits import load_fits as load_fits
from lsm_stan.inference.latent_space_model import LatentSpaceModel as LatentSpaceModel
from lsm_stan.inference.methods import METHODS as METHODS
from lsm_stan.inference.mode_weights import weigh_modes as weigh_modes
from lsm_stan.inference.plan import plan as plan
from lsm_stan.many import fit_each as fit_each
from lsm_stan.many import open_networks as open_networks
from lsm_stan.model.family import MODELS as MODELS
from lsm_stan.model.family import ModelSpec as ModelSpec
from lsm_stan.model.family import find_model as find_model
from lsm_stan.model.simulation import simulate as simulate
from lsm_stan.network.datasets import load_celegans as load_celegans
from lsm_stan.network.network import Network as Network
from lsm_stan.network.readers import read_network as read_network
from lsm_stan.network.summary import describe as describe
from lsm_stan.posterior.alignment import align as align
from lsm_stan.posterior.alignment import mean_positions as mean_positions
from lsm_stan.posterior.alignment import principal_axes as principal_axes
from lsm_stan.prediction.dyads import predict as predict
from lsm_stan.prediction.loo import loo as loo
from lsm_stan.prediction.loo import loo_table as loo_table
from lsm_stan.prediction.selection import select as select
from lsm_stan.report.export import export as export
from lsm_stan.report.nodes import node_table as node_table
from lsm_stan.report.report import make_report as make_report
from lsm_stan.report.report_page import write_report as write_report
from lsm_stan.report.selection_page import write_selection as write_selection

__version__: str
