# Every public name and its home: `__init__.py` fetches a name from here when it is first used.
from ._napari.actions.restore import restore_layer as restore_layer
from .evaluation.quality import Quality as Quality
from .evaluation.quality import measure_quality as measure_quality
from .evaluation.quality import residual as residual
from .evaluation.uncertainty import SeedStep as SeedStep
from .evaluation.uncertainty import Uncertainty as Uncertainty
from .evaluation.uncertainty import iter_uncertainty as iter_uncertainty
from .evaluation.uncertainty import uncertainty as uncertainty
from .fitting.base import Progress as Progress
from .fitting.settings import CompactNetwork as CompactNetwork
from .fitting.settings import HourglassNetwork as HourglassNetwork
from .fitting.settings import Settings as Settings
from .io.animation import write_animation as write_animation
from .methods.base import Restorer as Restorer
from .methods.deconvolution.optics import microscope_psf as microscope_psf
from .methods.deconvolution.psf import gaussian_psf as gaussian_psf
from .methods.deconvolution.psf import measure_psf as measure_psf
from .methods.deconvolution.settings import DeconvolutionFit as DeconvolutionFit
from .methods.deconvolution.task import Deconvolve as Deconvolve
from .methods.deep_image_prior.settings import DeepImagePriorFit as DeepImagePriorFit
from .methods.deep_image_prior.settings import published_settings as published_settings
from .methods.denoising.settings import DenoisingFit as DenoisingFit
from .methods.denoising.task import Denoise as Denoise
from .methods.inpainting.settings import InpaintingFit as InpaintingFit
from .methods.inpainting.task import Inpaint as Inpaint
from .methods.method import Method as Method
from .methods.method import Option as Option
from .methods.registry import preset_settings as preset_settings
from .methods.registry import register_method as register_method
from .methods.registry import settings_from_dict as settings_from_dict
from .methods.registry import settings_to_dict as settings_to_dict
from .methods.registry import unregister_method as unregister_method
from .methods.super_resolution.settings import SuperResolutionFit as SuperResolutionFit
from .methods.super_resolution.task import SuperResolve as SuperResolve
from .methods.task import Task as Task
from .restoration.api import iter_restore as iter_restore
from .restoration.api import restore as restore
from .restoration.base import Restoration as Restoration
from .restoration.base import RestorationError as RestorationError
from .restoration.base import RestorationSteps as RestorationSteps
from .restoration.base import Step as Step
from .restoration.fitted import FitStep as FitStep
from .restoration.fitted import Fitted as Fitted
from .restoration.fitted import fit as fit
from .restoration.fitted import iter_fit as iter_fit
from .restoration.fitted import load_fitted as load_fitted
from .restoration.repeat import repeat as repeat
from .restoration.steps import Steps as Steps
from .tiling.array import restore_array as restore_array

__version__: str

__all__ = [
    "CompactNetwork",
    "DeconvolutionFit",
    "Deconvolve",
    "DeepImagePriorFit",
    "Denoise",
    "DenoisingFit",
    "FitStep",
    "Fitted",
    "HourglassNetwork",
    "Inpaint",
    "InpaintingFit",
    "Method",
    "Option",
    "Progress",
    "Quality",
    "Restoration",
    "RestorationError",
    "RestorationSteps",
    "Restorer",
    "SeedStep",
    "Settings",
    "Step",
    "Steps",
    "SuperResolutionFit",
    "SuperResolve",
    "Task",
    "Uncertainty",
    "fit",
    "gaussian_psf",
    "iter_fit",
    "iter_restore",
    "iter_uncertainty",
    "load_fitted",
    "measure_psf",
    "measure_quality",
    "microscope_psf",
    "preset_settings",
    "published_settings",
    "register_method",
    "repeat",
    "residual",
    "restore",
    "restore_array",
    "restore_layer",
    "settings_from_dict",
    "settings_to_dict",
    "uncertainty",
    "unregister_method",
    "write_animation",
]
